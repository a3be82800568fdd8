//! A raw field cannot be printed.
fn main() {
    let name = classified::Raw::new(String::from("invented"));
    println!("{name}");
}
