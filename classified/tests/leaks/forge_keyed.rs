//! A keyed value cannot be taken apart or built around its maker.
fn main() {
    let _forged = classified::Keyed::<classified::Intake>([0; 32], std::marker::PhantomData);
}
