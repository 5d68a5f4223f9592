//! One line a result: ours, what stands beside it, their ratio, and the aim.

/// A result that has something beside it.
pub struct Row {
    pub what: String,
    pub ours: String,
    pub beside: String,
    pub ratio: String,
    pub aim: &'static str,
}

pub fn row(what: impl Into<String>, ours: String, beside: String, ratio: String, aim: &'static str) -> Row {
    Row { what: what.into(), ours, beside, ratio, aim }
}

pub fn times(ratio: f64) -> String {
    format!("{} ×", short(ratio))
}

pub fn short(number: f64) -> String {
    match number {
        0.0 => "0".into(),
        ..0.1 => format!("{number:.3}"),
        ..10.0 => format!("{number:.2}"),
        ..100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

pub fn print(rows: &[Row]) {
    let heading = row("what", "ours".into(), "beside it".into(), "ratio".into(), "aim");
    let cells = |row: &Row| [row.what.clone(), row.ours.clone(), row.beside.clone(), row.ratio.clone(), row.aim.into()];
    let lines: Vec<[String; 5]> = std::iter::once(&heading).chain(rows).map(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    for (n, line) in lines.iter().enumerate() {
        let padded = (0..5).map(|c| format!("{:w$}", line[c], w = width(c))).collect::<Vec<_>>().join(" | ");
        println!("| {padded} |");
        if n == 0 {
            println!("|{}|", (0..5).map(|c| "-".repeat(width(c) + 2)).collect::<Vec<_>>().join("|"));
        }
    }
}
