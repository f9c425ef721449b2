//! The programs of other crates of the workspace, which Cargo puts beside the test.

use std::path::PathBuf;

/// A program of the workspace by its name, as built by `cargo test --workspace`.
///
/// # Panics
/// If it hasn't been built.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let folder = test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps");
    let program = folder.join(name);
    assert!(program.exists(), "`{}` is missing: `cargo build --workspace` makes it", program.display());
    program
}
