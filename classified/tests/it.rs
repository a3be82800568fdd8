//! Programs that must not compile, with the message that the compiler gives for each.

#[test]
fn leaks_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/leaks/*.rs");
}
