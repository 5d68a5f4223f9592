//! The header as Rust sees it from outside: only what the sequences need.

use std::ffi::{c_char, c_void};

// So that the linker keeps the crate whose C functions these are.
use eventsource as _;

#[repr(C)]
pub struct Config(u8);
#[repr(C)]
pub struct Source(u8);
#[repr(C)]
pub struct Event(u8);

pub type Callback = unsafe extern "C" fn(*mut c_void, *const Event);
pub type Function = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {
    pub fn eventsource_config_new(url: *const c_char, out: *mut *mut Config) -> i32;
    pub fn eventsource_config_set_retry(config: *mut Config, first: u64, max: u64) -> i32;
    pub fn eventsource_config_set_header(config: *mut Config, name: *const c_char, value: *const c_char) -> i32;
    pub fn eventsource_config_set_method(config: *mut Config, method: *const c_char) -> i32;
    pub fn eventsource_config_set_body(config: *mut Config, body: *const u8, len: usize) -> i32;
    pub fn eventsource_config_set_max_event_size(config: *mut Config, bytes: usize) -> i32;
    pub fn eventsource_config_set_reconnect(config: *mut Config, mode: i32) -> i32;
    pub fn eventsource_config_set_last_event_id(config: *mut Config, id: *const c_char) -> i32;
    pub fn eventsource_config_free(config: *mut Config);
    pub fn eventsource_new(config: *const Config, out: *mut *mut Source) -> i32;
    pub fn eventsource_on(
        source: *mut Source,
        kind: i32,
        event_type: *const c_char,
        callback: Option<Callback>,
        user_data: *mut c_void,
        destroy: Option<Function>,
    ) -> i32;
    pub fn eventsource_start(source: *mut Source) -> i32;
    pub fn eventsource_start_polled(
        source: *mut Source,
        wake: Option<Function>,
        user_data: *mut c_void,
        destroy: Option<Function>,
    ) -> i32;
    pub fn eventsource_start_watched(
        source: *mut Source,
        wake: Option<Function>,
        watch: Option<extern "C" fn(*mut c_void, isize) -> bool>,
        user_data: *mut c_void,
        destroy: Option<Function>,
    ) -> i32;
    pub fn eventsource_next(source: *mut Source, out: *mut *const Event) -> i32;
    pub fn eventsource_poll(source: *mut Source, out: *mut *const Event) -> i32;
    pub fn eventsource_poll_each(
        source: *mut Source,
        each: Option<extern "C" fn(*mut c_void, *const Event) -> bool>,
        user_data: *mut c_void,
    ) -> i32;
    pub fn eventsource_close(source: *const Source) -> i32;
    pub fn eventsource_pause(source: *const Source) -> i32;
    pub fn eventsource_resume(source: *const Source) -> i32;
    pub fn eventsource_reconnect(source: *const Source) -> i32;
    pub fn eventsource_retry(source: *const Source, delay: i64) -> i32;
    pub fn eventsource_fail(source: *const Source, reason: *const c_char) -> i32;
    pub fn eventsource_set_url(source: *const Source, url: *const c_char) -> i32;
    pub fn eventsource_set_header(source: *const Source, name: *const c_char, value: *const c_char) -> i32;
    pub fn eventsource_set_secret_header(source: *const Source, name: *const c_char, value: *const c_char) -> i32;
    pub fn eventsource_get_state(source: *const Source) -> i32;
    pub fn eventsource_free(source: *mut Source);
    pub fn eventsource_release(source: *mut Source);
    pub fn eventsource_event_kind(event: *const Event) -> i32;
    pub fn eventsource_event_type(event: *const Event, len: *mut usize) -> *const c_char;
    pub fn eventsource_event_data(event: *const Event, len: *mut usize) -> *const c_char;
    pub fn eventsource_event_id(event: *const Event, len: *mut usize) -> *const c_char;
    pub fn eventsource_event_url(event: *const Event, len: *mut usize) -> *const c_char;
    pub fn eventsource_event_body(event: *const Event, len: *mut usize) -> *const c_char;
    pub fn eventsource_event_header(event: *const Event, name: *const c_char, len: *mut usize) -> *const c_char;
    pub fn eventsource_event_header_at(
        event: *const Event,
        index: usize,
        name: *mut *const c_char,
        value: *mut *const c_char,
    ) -> bool;
    pub fn eventsource_event_clone(event: *const Event) -> *mut Event;
    pub fn eventsource_event_free(event: *mut Event);
}
