//! How messages lie in the frames of a WebSocket: one JSON text (what Jupyter servers speak with a gateway), or the
//! binary form of `v1.kernel.websocket.jupyter.org` (what browsers may ask for).

use axum::extract::ws::Message;
use serde_json::{Value, json};

use super::message::{Channel, Incoming, Outgoing};

/// The name of the binary form.
pub(super) const V1: &str = "v1.kernel.websocket.jupyter.org";
/// Parts of a binary frame: channel, header, parent header, metadata, content; buffers may follow.
const PARTS: usize = 5;
/// The most parts that are looked at.
const MOST: usize = 64;

/// A form of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Json,
    V1,
}

impl Framing {
    /// The message in a frame; nothing where there is none.
    pub(super) fn read(self, frame: &Message) -> Option<Incoming> {
        match (self, frame) {
            (Self::Json, Message::Text(text)) => serde_json::from_str(text).ok(),
            (Self::Json, Message::Binary(bytes)) => serde_json::from_slice(bytes).ok(),
            (Self::V1, Message::Binary(bytes)) => unpacked(bytes),
            _ => None,
        }
    }

    /// A message as a frame.
    pub(super) fn write(self, message: &Outgoing) -> Message {
        match self {
            Self::Json => {
                let text = json!({
                    "channel": message.channel.as_str(),
                    "header": message.header,
                    "msg_id": message.header.get("msg_id"),
                    "msg_type": message.header.get("msg_type"),
                    "parent_header": *message.parent,
                    "metadata": {},
                    "content": message.content,
                    "buffers": [],
                });
                Message::Text(text.to_string().into())
            }
            Self::V1 => Message::Binary(packed(message).into()),
        }
    }
}

fn packed(message: &Outgoing) -> Vec<u8> {
    let texts = [
        message.channel.as_str().to_owned(),
        message.header.to_string(),
        message.parent.to_string(),
        "{}".to_owned(),
        message.content.to_string(),
    ];
    // The count of offsets, the offsets (one more than parts), the parts.
    let mut offset = 8 * (texts.len() as u64 + 2);
    let mut bytes = (texts.len() as u64 + 1).to_le_bytes().to_vec();
    bytes.extend(offset.to_le_bytes());
    for text in &texts {
        offset += text.len() as u64;
        bytes.extend(offset.to_le_bytes());
    }
    texts.iter().for_each(|text| bytes.extend(text.as_bytes()));
    bytes
}

fn unpacked(bytes: &[u8]) -> Option<Incoming> {
    let number = |at: usize| -> Option<usize> {
        let eight = bytes.get(at.checked_mul(8)?..at.checked_add(1)?.checked_mul(8)?)?;
        usize::try_from(u64::from_le_bytes(eight.try_into().ok()?)).ok()
    };
    let count = number(0)?;
    if !(PARTS + 1..=MOST).contains(&count) {
        return None;
    }
    let part = |at: usize| bytes.get(number(at + 1)?..number(at + 2)?);
    let value = |at: usize| serde_json::from_slice::<Value>(part(at)?).ok();
    let channel: Channel = serde_json::from_value(Value::from(std::str::from_utf8(part(0)?).ok()?)).ok()?;
    Some(Incoming { header: serde_json::from_value(value(1)?).ok()?, channel, content: value(4)? })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::extract::ws::Message;
    use serde_json::{Value, json};

    use super::Framing;
    use crate::jupyter::message::{Channel, Outgoing};

    fn sample() -> Outgoing {
        Outgoing {
            to: None,
            channel: Channel::Shell,
            header: json!({"msg_id": "k_1", "msg_type": "execute_reply", "session": "k"}),
            parent: Arc::new(json!({"msg_id": "c_1"})),
            content: json!({"text": "性別"}),
        }
    }

    #[test]
    fn both_forms_read_back() {
        for framing in [Framing::Json, Framing::V1] {
            let read = framing.read(&framing.write(&sample())).unwrap();
            assert_eq!(read.header.msg_type, "execute_reply");
            assert_eq!(read.channel, Channel::Shell);
            assert_eq!(read.content, json!({"text": "性別"}));
        }
    }

    #[test]
    fn the_json_form_says_its_type_where_servers_look_for_it() {
        let Message::Text(text) = Framing::Json.write(&sample()) else { panic!("no text") };
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["msg_type"], "execute_reply");
        assert_eq!(value["parent_header"]["msg_id"], "c_1");
    }

    #[test]
    fn a_frame_that_is_cut_or_lies_about_itself_is_none() {
        let Message::Binary(bytes) = Framing::V1.write(&sample()) else { panic!("no bytes") };
        for length in 0..bytes.len() {
            assert_eq!(Framing::V1.read(&Message::Binary(bytes.slice(..length))), None, "{length}");
        }
        for at in 0..56 {
            let mut lie = bytes.to_vec();
            lie[at] = 0xff;
            let _ = Framing::V1.read(&Message::Binary(lie.into()));
        }
        assert_eq!(Framing::V1.read(&Message::Text("{}".into())), None);
        assert_eq!(Framing::Json.read(&Message::Text("[".into())), None);
    }
}
