//! `parser [COLUMN]`: bytes in memory to events, ours and others' side by side. Several kinds of streams, in several kinds of chunks.

mod contestants;
mod streams;

use contestants::{ALL, Contestant};
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;
use streams::{Column, columns};

use crate::table::{Row, row, short, times};

/// Rounds of which the median counts; all contestants take turns in each.
const ROUNDS: usize = 9;
/// How long one turn lasts at least.
const TURN: Duration = Duration::from_millis(25);

pub fn run(arguments: &[String]) -> Vec<Row> {
    let columns: Vec<Column> = columns()
        .into_iter()
        .filter(|column| arguments.first().is_none_or(|wanted| column.name.contains(&**wanted)))
        .collect();
    let results: Vec<Vec<f64>> = columns.iter().map(measure).collect();

    println!(
        "GB/s (ns an event) of processor time, median of {ROUNDS}; chunks of 16 KB unless the column says otherwise\n"
    );
    print!("| |");
    columns.iter().for_each(|column| print!(" {} |", column.name));
    print!("\n|---|");
    columns.iter().for_each(|_| print!("---|"));
    println!();
    for (i, contestant) in ALL.iter().enumerate() {
        print!("| {} |", contestant.name);
        for (column, result) in columns.iter().zip(&results) {
            let nanoseconds = column.stream.len() as f64 / column.events as f64 / result[i];
            print!(" {} ({}) |", short(result[i]), short(nanoseconds));
        }
        println!();
    }
    print!("| ours / best of the others |");
    results.iter().for_each(|result| print!(" {} |", times(result[0] / best_other(result).1)));
    println!("\n");
    let aims = [
        ("100 B", "≥ 7 GB/s"),
        ("100 B event, id", "≥ 4 GB/s"),
        ("64 KB", "≥ 12 GB/s"),
        ("1-byte chunks", "≥ 0.15 GB/s"),
    ];
    let line = |(column, result): (&Column, &Vec<f64>)| {
        let (_, aim) = aims.iter().find(|(name, _)| *name == column.name)?;
        let (other, best) = best_other(result);
        let (ours, beside) = (format!("{} GB/s", short(result[0])), format!("{other} {} GB/s", short(best)));
        Some(row(format!("parser, {}", column.name), ours, beside, times(result[0] / best), aim))
    };
    columns.iter().zip(&results).filter_map(line).collect()
}

/// The fastest of those that do the same.
fn best_other(result: &[f64]) -> (&'static str, f64) {
    let others = ALL.iter().zip(result).filter(|(other, _)| other.competes).map(|(other, speed)| (other.name, *speed));
    others.fold(("", 0.0), |best, other| if other.1 > best.1 { other } else { best })
}

/// Processor time of this thread, so that whatever else runs on the machine counts less.
fn busy() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock").into()
}

/// GB/s of each contestant.
fn measure(column: &Column) -> Vec<f64> {
    let mut rounds = vec![Vec::new(); ALL.len()];
    let mut states: Vec<_> = ALL.iter().map(|contestant| (contestant.begin)(column)).collect();
    for (contestant, state) in ALL.iter().zip(&mut states) {
        check(column, contestant, state.pass());
    }
    for _ in 0..ROUNDS {
        for (times, state) in rounds.iter_mut().zip(&mut states) {
            let (mut passes, begin) = (0, busy());
            while busy() - begin < TURN {
                state.pass();
                passes += 1;
            }
            times.push((passes * column.stream.len()) as f64 / (busy() - begin).as_nanos() as f64);
        }
    }
    rounds
        .into_iter()
        .map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        })
        .collect()
}

/// All parse the same: as many events, as many bytes of data.
fn check(column: &Column, contestant: &Contestant, (events, bytes): (usize, usize)) {
    if contestant.parses {
        assert_eq!((events, bytes), (column.events, column.data), "{} on {}", contestant.name, column.name);
    }
}
