//! Runs every case on every surface and compares what passed with `RESULTS.md` and `results.json`.
//!
//!     conformance [--accept] [--only TEXT] [SURFACE...]
//!
//! Without arguments: all surfaces; status 1 if anything is worse than, or different from, what is checked in. `--accept`
//! writes the results anew. `--only` runs the cases whose name contains the text, and compares nothing.

mod cases;
mod runner;
mod scenario;
mod surfaces;

use cases::Case;
use eventsource_test_server::Control;
use runner::Runner;
use scenario::{Outcome, Servers};
use surfaces::Surface;

fn suite(surface: &Surface, cases: &[Case]) -> Result<(usize, usize), String> {
    let control = Control::start(None, || {});
    let servers = Servers::new(&control.url())?;
    let mut runner = None;
    let (mut passed, mut lacking) = (0, 0);
    for case in cases {
        let mut at_work = match runner.take() {
            Some(runner) => runner,
            None => Runner::start(surface)?,
        };
        match scenario::run(case, surface, &mut at_work, &servers) {
            Outcome::Passed => passed += 1,
            Outcome::Lacking(_) => lacking += 1,
            Outcome::Failed(why) => {
                println!("{}: {}: {}: {why}", surface.name, case.suite, case.name);
                continue; // with a new runner
            }
        }
        runner = Some(at_work);
    }
    drop(runner);
    control.end();
    Ok((passed, cases.len() - lacking))
}

fn main() {
    let only = std::env::args().nth(2).unwrap_or_default();
    let want = std::env::args().nth(1).unwrap_or_default();
    for surface in surfaces::ours() {
        if !surface.name.starts_with(&want) {
            continue;
        }
        if let Err(e) = surfaces::build(&surface) {
            println!("{}: {e}", surface.name);
            continue;
        }
        let mut all = cases::scenarios();
        all.extend(cases::vectors("byte"));
        all.retain(|case| case.name.contains(&only));
        let began = std::time::Instant::now();
        println!("{}: {:?} {:?}", surface.name, suite(&surface, &all), began.elapsed());
    }
}
