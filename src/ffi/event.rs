//! `eventsource_event`: pointers into what an event borrows from its source, or a copy that owns itself.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::{CStr, c_char};
use std::mem::{align_of, size_of};
use std::{ptr, slice};

use super::boundary::{shared, store};
use super::status::{eventsource_error, eventsource_kind, eventsource_state};
use crate::event::{Event, Head};
use crate::text::Text;

/// Something that happened. On loan to the one thread that was handed it, until the next eventsource_next,
/// eventsource_poll or free of its source, or the end of the callback. eventsource_event_clone makes one to keep.
pub struct eventsource_event {
    kind: eventsource_kind,
    error: eventsource_error,
    state: eventsource_state,
    http_status: u16,
    retry_ms: i64,
    event_type: RawText,
    data: RawText,
    id: RawText,
    url: RawText,
    body: RawText,
    headers: RawHeaders,
    /// Of a clone: how large the allocation is that holds this struct and all its texts. 0: on loan.
    allocation: usize,
}

/// Text that lies somewhere, with a NUL behind it.
#[derive(Clone, Copy)]
struct RawText {
    pointer: *const u8,
    len: usize,
}

/// Response headers: as the source has them, or as a clone lays them out.
#[derive(Clone, Copy)]
enum RawHeaders {
    None,
    Loaned(*const Head),
    Owned(*const [RawText; 2], usize),
}

impl RawText {
    const EMPTY: RawText = RawText { pointer: c"".as_ptr().cast(), len: 0 };

    fn of(text: Text<'_>) -> RawText {
        RawText { pointer: text.as_bytes_with_nul().as_ptr(), len: text.as_bytes().len() }
    }

    /// # Safety
    /// The text is still there, and `len` is NULL or can be written to.
    unsafe fn hand_out(self, len: *mut usize) -> *const c_char {
        // SAFETY: this function's own condition.
        unsafe { store(len, self.len) };
        self.pointer.cast()
    }
}

impl eventsource_event {
    /// What an event is before there is one.
    pub(super) const NONE: eventsource_event = eventsource_event {
        kind: eventsource_kind::EVENTSOURCE_KIND_ANY,
        error: eventsource_error::EVENTSOURCE_ERROR_NONE,
        state: eventsource_state::EVENTSOURCE_STATE_CONNECTING,
        http_status: 0,
        retry_ms: -1,
        event_type: RawText::EMPTY,
        data: RawText::EMPTY,
        id: RawText::EMPTY,
        url: RawText::EMPTY,
        body: RawText::EMPTY,
        headers: RawHeaders::None,
        allocation: 0,
    };

    /// The event as C sees it. Good for as long as what `event` borrows stays where it is.
    pub(super) fn lend(event: &Event<'_>) -> eventsource_event {
        eventsource_event {
            kind: event.kind.into(),
            error: event.error.into(),
            state: event.state.into(),
            http_status: event.http_status,
            retry_ms: event.retry_ms,
            event_type: RawText::of(event.event_type),
            data: RawText::of(event.data),
            id: RawText::of(event.id),
            url: RawText::of(event.url),
            body: RawText::of(event.body),
            headers: event.head.map_or(RawHeaders::None, |head| RawHeaders::Loaned(head)),
            allocation: 0,
        }
    }

    fn header_count(&self) -> usize {
        match self.headers {
            RawHeaders::None => 0,
            // SAFETY: C looks at an event only while it is on loan, and as long the head is there.
            RawHeaders::Loaned(head) => unsafe { &*head }.headers.len(),
            RawHeaders::Owned(_, count) => count,
        }
    }

    /// Name and value; None past the end.
    fn header(&self, index: usize) -> Option<[RawText; 2]> {
        match self.headers {
            RawHeaders::None => None,
            RawHeaders::Loaned(head) => {
                // SAFETY: as in `header_count`.
                let (name, value) = unsafe { &*head }.headers.get(index)?;
                Some([RawText::of(name.as_text()), RawText::of(value.as_text())])
            }
            // SAFETY: a clone's table has `count` places and lives as long as the clone.
            RawHeaders::Owned(table, count) => (index < count).then(|| unsafe { *table.add(index) }),
        }
    }

    /// A copy in one allocation: the struct, the table of headers, the texts. None: no memory.
    ///
    /// # Safety
    /// The event is on loan still, or a clone.
    unsafe fn copy(&self) -> Option<*mut eventsource_event> {
        let headers = || (0..self.header_count()).filter_map(|index| self.header(index));
        let texts = [self.event_type, self.data, self.id, self.url, self.body];
        let table = size_of::<eventsource_event>();
        let first_text = table.checked_add(self.header_count().checked_mul(size_of::<[RawText; 2]>())?)?;
        let size = texts
            .into_iter()
            .chain(headers().flatten())
            .try_fold(first_text, |sum, text| sum.checked_add(text.len)?.checked_add(1))?;
        let layout = layout(size)?;
        // SAFETY: the size is not 0.
        let base = unsafe { alloc(layout) };
        if base.is_null() {
            return None;
        }
        let mut at = first_text;
        let mut copy = |text: RawText| {
            // SAFETY: `size` counts every text with its NUL, in this order.
            let pointer = unsafe { base.add(at) };
            // SAFETY: the text is there with its NUL (this function's own condition), and the new allocation lies elsewhere.
            unsafe { ptr::copy_nonoverlapping(text.pointer, pointer, text.len + 1) };
            at += text.len + 1;
            RawText { pointer, len: text.len }
        };
        let [event_type, data, id, url, body] = texts.map(&mut copy);
        // SAFETY: the table begins behind the struct, whose size is a multiple of the alignment of both.
        let table = unsafe { base.add(table) }.cast::<[RawText; 2]>();
        for (index, header) in headers().enumerate() {
            // SAFETY: there is a place for each header.
            unsafe { table.add(index).write(header.map(&mut copy)) };
        }
        let headers = RawHeaders::Owned(table, self.header_count());
        let event = eventsource_event { event_type, data, id, url, body, headers, allocation: size, ..*self };
        let place = base.cast::<eventsource_event>();
        // SAFETY: the allocation begins with room for it, aligned for it.
        unsafe { place.write(event) };
        Some(place)
    }
}

/// How the allocation of a clone is laid out; None: too large for any.
fn layout(size: usize) -> Option<Layout> {
    const { assert!(align_of::<[RawText; 2]>() <= align_of::<eventsource_event>()) }
    Layout::from_size_align(size, align_of::<eventsource_event>()).ok()
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
    unsafe { read(event) }.error
}

/// The source's state as this event sees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_state(event: *const eventsource_event) -> eventsource_state {
    // SAFETY: the header asks for an event or NULL.
    unsafe { read(event) }.state
}

/// The HTTP status, or 0 where there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_http_status(event: *const eventsource_event) -> u16 {
    // SAFETY: the header asks for an event or NULL.
    unsafe { read(event) }.http_status
}

/// ERROR: milliseconds until the next attempt, or -1: there will be none (unless the state is OPEN: the stream goes on).
/// Other events: -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_event_retry_ms(event: *const eventsource_event) -> i64 {
    // SAFETY: the header asks for an event or NULL.
    unsafe { read(event) }.retry_ms
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
        (0..event.header_count()).filter_map(|index| event.header(index)).find(|[its, _]| {
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
    unsafe { read(event).body.hand_out(len) }
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
    let size = unsafe { read(event) }.allocation;
    if let (true, Some(layout)) = (size > 0, layout(size)) {
        // SAFETY: `copy` allocated it with this very layout; nothing in it needs a drop.
        unsafe { dealloc(event.cast(), layout) }
    }
}
