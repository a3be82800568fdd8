//! A raw field cannot be compared, which would make a guess answerable.
fn main() {
    let left = classified::Raw::new(String::from("invented"));
    let right = classified::Raw::new(String::from("invented"));
    let _same = left == right;
}
