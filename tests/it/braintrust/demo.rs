//! `make demo-braintrust`: the story as a newcomer sees it.

use anyhow::{Result, ensure};
use grantbook_tests::{binary, braintrust};

#[test]
fn the_demo_tells_the_story_to_its_end() -> Result<()> {
    let output = braintrust::demo()?.arg(binary::grantbook()?).output()?;
    let (told, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{told}{said}");
    assert_eq!(
        (told.matches("    logged to ").count(), told.matches("    denied: 403 ").count()),
        (2, 2),
        "{told}"
    );
    ensure!(told.contains("DENIED: token:dev may not read project:production"), "{told}");
    ensure!(told.trim_end().ends_with("says which calls are answered."), "{told}");
    Ok(())
}
