//! Sequences of C calls: any order, any argument, on three sources at once, within the header's contract (nothing follows free).
//! Every status is one that the header knows, every text is UTF-8 that ends in NUL, every destroy comes exactly once.
#![no_main]

mod c;
mod peer;

use std::ffi::{CString, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use c::*;
use libfuzzer_sys::fuzz_target;

static DESTROYED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn destroy(_: *mut c_void) {
    DESTROYED.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn wake(_: *mut c_void) {}

/// Whoever polls here polls anyway: what it says makes no difference but to who reads. The pointer is no pointer.
extern "C" fn watch(user_data: *mut c_void, descriptor: isize) -> bool {
    assert!(descriptor >= -1);
    user_data.is_null()
}

/// A callback that answers, steers or frees, as its user data says.
unsafe extern "C" fn callback(user_data: *mut c_void, event: *const Event) {
    look(event);
    let source = user_data.cast::<Source>();
    let kind = unsafe { eventsource_event_kind(event) };
    unsafe {
        match kind {
            3 => eventsource_reconnect(source),
            5 => eventsource_retry(source, 1),
            _ => eventsource_get_state(source),
        };
    }
}

/// The same, for what eventsource_poll_each finds, which it stops at a comment.
extern "C" fn each(user_data: *mut c_void, event: *const Event) -> bool {
    unsafe {
        callback(user_data, event);
        eventsource_event_kind(event) != 4
    }
}

/// Reads all that an event says.
fn look(event: *const Event) {
    let text = |getter: unsafe extern "C" fn(*const Event, *mut usize) -> *const c_char| {
        let mut len = usize::MAX;
        let start = unsafe { getter(event, &mut len) }.cast::<u8>();
        assert!(!start.is_null() && len != usize::MAX);
        let bytes = unsafe { std::slice::from_raw_parts(start, len + 1) };
        assert_eq!(bytes[len], 0);
        assert!(std::str::from_utf8(&bytes[..len]).is_ok());
    };
    [
        eventsource_event_type,
        eventsource_event_data,
        eventsource_event_id,
        eventsource_event_url,
        eventsource_event_body,
    ]
    .into_iter()
    .for_each(text);
    unsafe {
        let (mut name, mut value) = (ptr::null(), ptr::null());
        let mut n = 0;
        while eventsource_event_header_at(event, n, &mut name, &mut value) {
            assert!(!eventsource_event_header(event, name, ptr::null_mut()).is_null());
            n += 1;
        }
        eventsource_event_free(eventsource_event_clone(event));
    }
}

fn known(status: i32) -> i32 {
    assert!((-10..=2).contains(&status) && status != -9, "status {status}");
    status
}

struct Slot {
    source: *mut Source,
    /// Registrations whose destroy has to come.
    owed: usize,
}

fuzz_target!(|input: &[u8]| {
    let url = CString::new(peer::serve(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX: y\r\n\r\n: hi\nid: 7\nretry: 1\ndata: \xff\x00\n\nevent: e\ndata: b\n\n",
    ))
    .expect("no NUL");
    let text =
        CString::new(input.iter().copied().filter(|byte| *byte != 0).take(64).collect::<Vec<u8>>()).expect("no NUL");
    let text = text.as_ptr();
    let before = DESTROYED.load(Ordering::SeqCst);
    let mut slots: Vec<Slot> = (0..3).map(|_| Slot { source: ptr::null_mut(), owed: 0 }).collect();
    let mut owed = 0;
    let mut config = ptr::null_mut();
    unsafe {
        known(eventsource_config_new(url.as_ptr(), &mut config));
        known(eventsource_config_set_retry(config, 1, 1));
        for pair in input.chunks_exact(2).take(48) {
            let [operation, argument] = [pair[0] % 27, pair[1]];
            let slot = &mut slots[usize::from(argument) % 3];
            let source = slot.source;
            let mut event = ptr::null();
            match operation {
                0 | 1 if source.is_null() => {
                    known(eventsource_new(config, &mut slot.source));
                }
                2 => {
                    let user_data = source.cast();
                    let kind = i32::from(argument % 9) - 1;
                    known(eventsource_on(source, kind, ptr::null(), Some(callback), user_data, Some(destroy)));
                    slot.owed += 1;
                }
                3 => drop(known(eventsource_start(source))),
                4 => {
                    known(eventsource_start_polled(source, Some(wake), ptr::null_mut(), Some(destroy)));
                    slot.owed += 1;
                }
                26 => {
                    let able = if argument < 128 { ptr::null_mut() } else { ptr::dangling_mut() };
                    known(eventsource_start_watched(source, Some(wake), Some(watch), able, Some(destroy)));
                    slot.owed += 1;
                }
                // A paused source would block for ever.
                5 if eventsource_get_state(source) != 3 => {
                    if known(eventsource_next(source, &mut event)) == 0 {
                        look(event);
                    }
                }
                6 => {
                    if known(eventsource_poll(source, &mut event)) == 0 {
                        look(event);
                    }
                }
                7 => drop(known(eventsource_poll_each(source, Some(each), source.cast()))),
                8 => drop(known(eventsource_close(source))),
                9 => drop(known(eventsource_pause(source))),
                10 => drop(known(eventsource_resume(source))),
                11 => drop(known(eventsource_reconnect(source))),
                12 => drop(known(eventsource_retry(source, i64::from(argument) - 2))),
                13 => drop(known(eventsource_fail(source, text))),
                14 => drop(known(eventsource_set_header(source, text, text))),
                15 => drop(known(eventsource_set_secret_header(source, text, ptr::null()))),
                16 => drop(known(eventsource_set_url(source, url.as_ptr()))),
                17 | 18 => {
                    if operation == 17 {
                        eventsource_free(source)
                    } else {
                        eventsource_release(source)
                    }
                    owed += std::mem::take(&mut slot.owed);
                    slot.source = ptr::null_mut();
                }
                19 => {
                    let refused = ptr::null_mut();
                    eventsource_config_free(std::mem::replace(&mut config, refused));
                    known(eventsource_config_new(if argument == 0 { text } else { url.as_ptr() }, &mut config));
                    known(eventsource_config_set_retry(config, 1, u64::from(argument)));
                }
                20 => drop(known(eventsource_config_set_header(config, text, text))),
                21 => drop(known(eventsource_config_set_method(config, text))),
                22 => drop(known(eventsource_config_set_body(config, input.as_ptr(), input.len()))),
                23 => drop(known(eventsource_config_set_max_event_size(config, usize::from(argument)))),
                24 => drop(known(eventsource_config_set_reconnect(config, i32::from(argument % 5)))),
                25 => drop(known(eventsource_config_set_last_event_id(config, text))),
                _ => look(ptr::null()),
            }
        }
        for slot in slots {
            eventsource_free(slot.source);
            owed += slot.owed;
        }
        eventsource_config_free(config);
    }
    // Released sources end on their own threads.
    let begun = std::time::Instant::now();
    while DESTROYED.load(Ordering::SeqCst) - before < owed {
        assert!(begun.elapsed().as_secs() < 10, "destroy is missing");
        std::thread::yield_now();
    }
    assert_eq!(DESTROYED.load(Ordering::SeqCst) - before, owed, "destroy came twice");
});
