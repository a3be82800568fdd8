//! A raw field does not turn into its inside by itself.
fn length(text: &str) -> usize {
    text.len()
}

fn main() {
    let name = classified::Raw::new(String::from("invented"));
    length(&name);
}
