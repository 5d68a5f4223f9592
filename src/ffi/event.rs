//! `eventsource_event`: pointers into what an event borrows from its source, or a copy that owns itself.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::{CStr, c_char};
use std::mem::{align_of, size_of};
use std::{ptr, slice};

use super::boundary::{shared, store};
use super::status::{eventsource_error, eventsource_kind, eventsource_state};
use crate::event::{Details, Event, State};
use crate::text::Text;

/// Something that happened. On loan to the one thread that was handed it, until the next eventsource_next,
/// eventsource_poll(_each) or free of its source, or the end of the callback. eventsource_event_clone makes one to keep.
pub struct eventsource_event {
    kind: eventsource_kind,
    event_type: RawText,
    data: RawText,
    id: RawText,
    url: RawText,
    rest: Rest,
}

/// What messages and comments do not tell: as the source has it, or as a clone has it behind itself.
#[derive(Clone, Copy)]
enum Rest {
    Loaned(*const Details),
    Owned(*const Owned),
}

/// A clone's own copy of the details.
struct Owned {
    error: eventsource_error,
    state: eventsource_state,
    http_status: u16,
    retry_ms: i64,
    body: RawText,
    headers: *const [RawText; 2],
    header_count: usize,
    /// How large the allocation is that holds the clone and all its texts.
    allocation: usize,
}

/// How a clone begins; its headers follow, then the texts.
#[repr(C)]
struct Whole {
    event: eventsource_event,
    owned: Owned,
}

/// Text that lies somewhere, with a NUL behind it.
#[derive(Clone, Copy)]
struct RawText {
    pointer: *const u8,
    len: usize,
}

impl RawText {
    const EMPTY: RawText = RawText { pointer: c"".as_ptr().cast(), len: 0 };

    #[inline(always)]
    fn of(text: Text<'_>) -> RawText {
        RawText { pointer: text.as_bytes_with_nul().as_ptr(), len: text.len() }
    }

    /// # Safety
    /// The text is still there, and `len` is NULL or can be written to.
    unsafe fn hand_out(self, len: *mut usize) -> *const c_char {
        // SAFETY: this function's own condition.
        unsafe { store(len, self.len) };
        self.pointer.cast()
    }
}

/// An event that tells nothing.
static NOTHING: Details = Details::new(State::Connecting, 0);

impl eventsource_event {
    /// What an event is before there is one.
    pub(super) const NONE: eventsource_event = eventsource_event {
        kind: eventsource_kind::EVENTSOURCE_KIND_ANY,
        event_type: RawText::EMPTY,
        data: RawText::EMPTY,
        id: RawText::EMPTY,
        url: RawText::EMPTY,
        rest: Rest::Loaned(&raw const NOTHING),
    };

    /// The event as C sees it. Good for as long as what `event` borrows stays where it is.
    #[inline(always)]
    pub(super) fn lend(event: &Event<'_>) -> eventsource_event {
        eventsource_event {
            kind: event.kind.into(),
            event_type: RawText::of(event.event_type),
            data: RawText::of(event.data),
            id: RawText::of(event.id),
            url: RawText::of(event.url),
            rest: Rest::Loaned(event.details),
        }
    }

    /// The details as a clone has them, but for the headers.
    fn rest(&self) -> Owned {
        match self.rest {
            Rest::Loaned(details) => {
                // SAFETY: C looks at an event only while it is on loan, and as long the details are there.
                let details = unsafe { &*details };
                Owned {
                    error: details.error.into(),
                    state: details.state.into(),
                    http_status: details.status,
                    retry_ms: details.retry_ms,
                    body: RawText::of(details.body.as_text()),
                    headers: ptr::null(),
                    header_count: details.head.as_ref().map_or(0, |head| head.headers.len()),
                    allocation: 0,
                }
            }
            // SAFETY: a clone has it for as long as it lives.
            Rest::Owned(owned) => unsafe { owned.read() },
        }
    }

    /// Name and value; None past the end.
    fn header(&self, index: usize) -> Option<[RawText; 2]> {
        match self.rest {
            Rest::Loaned(details) => {
                // SAFETY: as in `rest`.
                let (name, value) = unsafe { &*details }.head.as_ref()?.headers.get(index)?;
                Some([RawText::of(name.as_text()), RawText::of(value.as_text())])
            }
            Rest::Owned(owned) => {
                // SAFETY: a clone has it for as long as it lives.
                let owned = unsafe { &*owned };
                // SAFETY: a clone's table has so many places and lives as long as the clone.
                (index < owned.header_count).then(|| unsafe { *owned.headers.add(index) })
            }
        }
    }

    /// A copy in one allocation: the event, its details, the table of headers, the texts. None: no memory.
    ///
    /// # Safety
    /// The event is on loan still, or a clone.
    unsafe fn copy(&self) -> Option<*mut eventsource_event> {
        let rest = self.rest();
        let headers = || (0..rest.header_count).filter_map(|index| self.header(index));
        let texts = [self.event_type, self.data, self.id, self.url, rest.body];
        let table = size_of::<Whole>();
        let first_text = table.checked_add(rest.header_count.checked_mul(size_of::<[RawText; 2]>())?)?;
        let allocation = texts
            .into_iter()
            .chain(headers().flatten())
            .try_fold(first_text, |sum, text| sum.checked_add(text.len)?.checked_add(1))?;
        let layout = layout(allocation)?;
        // SAFETY: the size is not 0.
        let base = unsafe { alloc(layout) };
        if base.is_null() {
            return None;
        }
        let mut at = first_text;
        let mut copy = |text: RawText| {
            // SAFETY: `allocation` counts every text with its NUL, in this order.
            let pointer = unsafe { base.add(at) };
            // SAFETY: the text is there with its NUL (this function's own condition), and the new allocation lies elsewhere.
            unsafe { ptr::copy_nonoverlapping(text.pointer, pointer, text.len + 1) };
            at += text.len + 1;
            RawText { pointer, len: text.len }
        };
        let [event_type, data, id, url, body] = texts.map(&mut copy);
        // SAFETY: the table begins behind `Whole`, whose size is a multiple of the alignment of both.
        let table = unsafe { base.add(table) }.cast::<[RawText; 2]>();
        for (index, header) in headers().enumerate() {
            // SAFETY: there is a place for each header.
            unsafe { table.add(index).write(header.map(&mut copy)) };
        }
        let whole = base.cast::<Whole>();
        // SAFETY: the allocation begins with room for it, aligned for it.
        unsafe {
            (&raw mut (*whole).owned).write(Owned { body, headers: table, allocation, ..rest });
            let rest = Rest::Owned(&raw const (*whole).owned);
            (&raw mut (*whole).event).write(eventsource_event { event_type, data, id, url, rest, ..*self });
        }
        Some(base.cast())
    }
}

/// How the allocation of a clone is laid out; None: too large for any.
fn layout(size: usize) -> Option<Layout> {
    const { assert!(align_of::<[RawText; 2]>() <= align_of::<Whole>()) }
    Layout::from_size_align(size, align_of::<Whole>()).ok()
}

/// # Safety
/// `event` is NULL or an event that C may look at.
unsafe fn read<'a>(event: *const eventsource_event) -> &'a eventsource_event {
    struct Shared(eventsource_event);
    // SAFETY: nothing in it changes, and its pointers point to what lives for ever.
    unsafe impl Sync for Shared {}
    static NONE: Shared = Shared(eventsource_event::NONE);
    // SAFETY: this function's own condition.
    unsafe { shared(event, "the event") }.unwrap_or(&NONE.0)
}

/// What kind of event it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_kind(event: *const eventsource_event) -> eventsource_kind {
    // SAFETY: the header asks for an event or NULL.
    unsafe { read(event) }.kind
}

/// The event type of a MESSAGE ("message" unless the server names another); else the kind's name, such as "open".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_type(event: *const eventsource_event, len: *mut usize) -> *const c_char {
    // SAFETY: the header asks for an event or NULL, and a place to write to or NULL.
    unsafe { read(event).event_type.hand_out(len) }
}

/// A MESSAGE's data, a COMMENT's text, the reason of an ERROR or CLOSE in words.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_data(event: *const eventsource_event, len: *mut usize) -> *const c_char {
    // SAFETY: the header asks for an event or NULL, and a place to write to or NULL.
    unsafe { read(event).data.hand_out(len) }
}

/// The last event ID, this event's included. CONNECT: the one that will be sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_id(event: *const eventsource_event, len: *mut usize) -> *const c_char {
    // SAFETY: the header asks for an event or NULL, and a place to write to or NULL.
    unsafe { read(event).id.hand_out(len) }
}

/// Where the attempt goes (CONNECT), where the stream comes from after redirects, or what was tried last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_url(event: *const eventsource_event, len: *mut usize) -> *const c_char {
    // SAFETY: the header asks for an event or NULL, and a place to write to or NULL.
    unsafe { read(event).url.hand_out(len) }
}

/// What went wrong.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_error(event: *const eventsource_event) -> eventsource_error {
    // SAFETY: the header asks for an event or NULL.
    unsafe { read(event) }.rest().error
}

/// The source's state as this event sees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_state(event: *const eventsource_event) -> eventsource_state {
    // SAFETY: the header asks for an event or NULL.
    unsafe { read(event) }.rest().state
}

/// The HTTP status, or 0 where there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_http_status(event: *const eventsource_event) -> u16 {
    // SAFETY: the header asks for an event or NULL.
    unsafe { read(event) }.rest().http_status
}

/// ERROR: milliseconds until the next attempt, or -1: there will be none (unless the state is OPEN: the stream goes on).
/// Other events: -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_retry_ms(event: *const eventsource_event) -> i64 {
    // SAFETY: the header asks for an event or NULL.
    unsafe { read(event) }.rest().retry_ms
}

/// OPEN and ERROR: the first response header of that name, in any case of letters. NULL, and length 0, if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_header(
    event: *const eventsource_event,
    name: *const c_char,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: the header asks for an event or NULL.
    let event = unsafe { read(event) };
    let found = (!name.is_null()).then(|| {
        // SAFETY: not NULL, and the header asks for a string.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        (0..event.rest().header_count).filter_map(|index| event.header(index)).find(|[its, _]| {
            // SAFETY: the texts of an event that C may look at are there.
            unsafe { slice::from_raw_parts(its.pointer, its.len) }.eq_ignore_ascii_case(name)
        })
    });
    let missing = RawText { pointer: ptr::null(), len: 0 };
    let value = found.flatten().map_or(missing, |[_, value]| value);
    // SAFETY: the header asks for a place to write to or NULL.
    unsafe { value.hand_out(len) }
}

/// OPEN and ERROR: all response headers, in the order received; false, and both NULL, past the end. Header texts hold no
/// NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_header_at(
    event: *const eventsource_event,
    index: usize,
    name: *mut *const c_char,
    value: *mut *const c_char,
) -> bool {
    // SAFETY: the header asks for an event or NULL.
    let found = unsafe { read(event) }.header(index);
    let [its_name, its_value] = found.map_or([ptr::null(); 2], |texts| texts.map(|text| text.pointer.cast()));
    // SAFETY: the header asks for places to write to or NULL.
    unsafe {
        store(name, its_name);
        store(value, its_value);
    }
    found.is_some()
}

/// ERROR: the first 4 KiB of the refused response's body, made UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_body(event: *const eventsource_event, len: *mut usize) -> *const c_char {
    // SAFETY: the header asks for an event or NULL, and a place to write to or NULL.
    unsafe { read(event).rest().body.hand_out(len) }
}

/// A copy to keep: it belongs to no source and no thread. NULL if there is no memory for it, or the event is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_clone(event: *const eventsource_event) -> *mut eventsource_event {
    // SAFETY: the header asks for an event that C may look at, or NULL.
    unsafe { shared(event, "the event").ok().and_then(|event| event.copy()) }.unwrap_or(ptr::null_mut())
}

/// Frees what eventsource_event_clone made, and nothing else. NULL: nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_free(event: *mut eventsource_event) {
    // SAFETY: the header asks for a clone or NULL.
    let size = unsafe { read(event) }.rest().allocation;
    if let (true, Some(layout)) = (size > 0, layout(size)) {
        // SAFETY: `copy` allocated it with this very layout; nothing in it needs a drop.
        unsafe { dealloc(event.cast(), layout) }
    }
}
