//! A raw field cannot be copied.
fn main() {
    let name = classified::Raw::new(String::from("invented"));
    let _copy = name.clone();
}
