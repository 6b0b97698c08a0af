//! Takes the pictures of the console in docs/console (`make console-pictures`).

use anyhow::{Result, ensure};
use grantbook_tests::{browser, scene::Scene};

fn main() -> Result<()> {
    ensure!(browser::is_here()?, "without a browser there are no pictures");
    let scene = Scene::embedded()?;
    browser::run("pictures", &browser::settle(&scene)?)
}
