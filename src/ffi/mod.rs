//! The C functions. They check what they are given, turn it into Rust and back, and decide nothing.
//!
//! `include/eventsource.h` is made of this directory by cbindgen, in the order of the modules below and of the functions in
//! them; the comments are the manual, so they speak C. Nothing in here hides a function from cbindgen behind a macro.
#![allow(unsafe_code)]
// The names are C's; `pub` is for cbindgen, since `no_mangle` alone exports.
#![allow(non_camel_case_types, unreachable_pub, clippy::enum_variant_names)]

mod status;

mod version;

mod log;

mod config;

mod source;

mod event;

mod boundary;
