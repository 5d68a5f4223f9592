//! One table a subcommand; each in a file of its own. Nothing here can fail a build by noise.

mod parser;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("parser") => parser::run(&arguments[1..]),
        _ => {
            eprintln!("usage: cargo run --profile bench -p eventsource-bench -- parser [COLUMN]");
            std::process::exit(2);
        }
    }
}
