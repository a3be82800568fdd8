//! A browser as far as tests need one: cookies by host, forms, redirects on demand. HTTP/1.0, so that an answer ends
//! with its connection.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Somebody who looks at pages.
#[derive(Default)]
pub(crate) struct Browser {
    /// Cookies by host and port, then by name.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn get(&mut self, url: &str) -> Page {
        self.send("GET", url, None)
    }

    /// Posts a form from a page of the same host.
    pub(crate) fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Page {
        let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        self.send("POST", url, Some(&fields.join("&")))
    }

    /// Follows redirects until there is a page.
    pub(crate) fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..10 {
            let Some(location) = page.location.clone() else { return page };
            page = self.get(&resolved(&page.url, &location));
        }
        panic!("too many redirects at {}", page.url)
    }

    fn send(&mut self, method: &str, url: &str, form: Option<&str>) -> Page {
        let rest = url.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut request = format!("{method} /{path} HTTP/1.0\r\nhost: {host}\r\n");
        if let Some(jar) = self.cookies.get(host) {
            let pairs: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.push_str(&format!("cookie: {}\r\n", pairs.join("; ")));
        }
        if let Some(form) = form {
            request.push_str(&format!(
                "origin: http://{host}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n",
                form.len()
            ));
        }
        request.push_str("\r\n");
        request.push_str(form.unwrap_or_default());
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        self.read(host, url, &String::from_utf8_lossy(&bytes))
    }

    fn read(&mut self, host: &str, url: &str, answer: &str) -> Page {
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut page = Page { url: url.to_owned(), status, location: None, text: text.to_owned() };
        for line in head.lines().skip(1) {
            let (name, value) = line.split_once(':').unwrap();
            match name.to_ascii_lowercase().as_str() {
                "location" => page.location = Some(value.trim().to_owned()),
                "set-cookie" => {
                    let (name, value) = value.trim().split(';').next().unwrap().split_once('=').unwrap();
                    let jar = self.cookies.entry(host.to_owned()).or_default();
                    jar.insert(name.to_owned(), value.to_owned());
                }
                _ => {}
            }
        }
        page
    }
}

fn resolved(from: &str, location: &str) -> String {
    if location.starts_with("http://") {
        return location.to_owned();
    }
    let host = from.strip_prefix("http://").unwrap().split('/').next().unwrap();
    format!("http://{host}{location}")
}
