//! One attempt: request, redirects, status, content type and coding; then the body, read as it comes.

mod body;
mod chunked;
mod gzip;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::response::Parts;
use ureq::http::{HeaderName, HeaderValue, Method, Request, Response, header};
use ureq::{Agent, AsSendBody, Body, SendBody};

use crate::config::Config;
use crate::control::Target;
use crate::error::{ErrorKind, Failure};
use crate::event::Head;
use crate::interrupt::Interrupt;
use crate::mime;
use crate::net::{Loan, Network, NoResolver, Transport, Wire};
use crate::text::TextBuf;
use crate::url::Url;
use crate::work::{Opened, Refusal};
pub(crate) use body::Connection;
use body::Framing;

/// The Fetch standard's limit on redirects.
const MOST_REDIRECTS: usize = 20;
/// A model may think for minutes before it answers a POST; a GET that takes this long is lost.
const RESPONSE_TIMEOUT_OF_GET: Duration = Duration::from_secs(60);
/// How much of a refused response's body is kept, and how long it may take to come.
const REFUSED_BODY_BYTES: usize = 4 * 1024;
const REFUSED_BODY_TIME: Duration = Duration::from_secs(2);

/// What came of an attempt.
pub(crate) struct Attempt {
    pub(crate) result: Result<(Box<Opened>, Connection), Box<Refusal>>,
    /// Where later attempts go instead, by a permanent redirect.
    pub(crate) remember: Option<Url>,
}

/// Everything one attempt needs, while it follows redirects.
struct Call<'a> {
    network: &'a Arc<Network>,
    config: &'a Config,
    target: &'a Target,
    last_event_id: &'a TextBuf,
    interrupt: &'a Arc<Interrupt>,
    url: Url,
    method: Method,
    body: Option<&'a [u8]>,
    /// A redirect has left the configured URL's origin: secrets stay behind for the rest of the attempt.
    strayed: bool,
    wrote: bool,
    /// How many redirects were followed.
    redirects: usize,
    /// Nothing but permanent ones so far.
    permanent: bool,
    /// Where the last of those led.
    remember: Option<Url>,
}

/// Connects, asks, follows redirects, and judges the response. Blocks; ends early, with whatever error, when `interrupt`
/// fires.
#[inline(never)]
pub(crate) fn attempt(
    network: &Arc<Network>,
    config: &Config,
    target: &Target,
    last_event_id: &TextBuf,
    interrupt: &Arc<Interrupt>,
) -> Attempt {
    let mut call = Call::new(network, config, target, last_event_id, interrupt);
    let result = loop {
        match call.ask() {
            Ok(hop) if !matches!(hop.head.status, 301 | 302 | 303 | 307 | 308) => break call.judge(hop),
            Ok(hop) => {
                if let Err(refusal) = call.follow(&hop) {
                    break Err(refusal);
                }
            }
            Err(refusal) => break Err(refusal),
        }
    };
    Attempt { result, remember: call.remember.take() }
}

/// One response whose head is here.
struct Hop {
    head: Head,
    parts: Parts,
    framing: Framing,
    transport: Box<Transport>,
}

impl<'a> Call<'a> {
    /// On the heap, as everything here that can be: what lies under ureq's frames is stack that a stream keeps.
    #[inline(never)]
    fn new(
        network: &'a Arc<Network>,
        config: &'a Config,
        target: &'a Target,
        last_event_id: &'a TextBuf,
        interrupt: &'a Arc<Interrupt>,
    ) -> Box<Call<'a>> {
        let url = target.remembered.as_ref().unwrap_or(&target.url).clone();
        Box::new(Call {
            network,
            config,
            target,
            last_event_id,
            interrupt,
            strayed: !url.same_origin(&target.url),
            url,
            // Setters let only tokens pass.
            method: Method::from_bytes(config.effective_method().as_bytes()).unwrap_or(Method::GET),
            body: config.body.as_deref(),
            wrote: false,
            redirects: 0,
            permanent: true,
            remember: None,
        })
    }

    fn refusal(&self, kind: ErrorKind, reason: impl Into<String>, head: Option<Head>) -> Box<Refusal> {
        Box::new(Refusal {
            failure: Failure::new(kind, reason),
            status: head.as_ref().map_or(0, |head| head.status),
            head,
            body: TextBuf::empty(),
            url: self.url.clone(),
            wrote: self.wrote,
        })
    }

    /// Sends the request and waits for the response's head.
    #[inline(never)]
    fn ask(&mut self) -> Result<Box<Hop>, Box<Refusal>> {
        let mut nothing = ();
        let mut bytes = match self.body {
            None if self.method == Method::POST || self.method == Method::PUT || self.method == Method::PATCH => {
                Some(&[][..])
            }
            body => body,
        };
        let body = match &mut bytes {
            Some(bytes) => bytes.as_body(),
            None => nothing.as_body(),
        };
        let request = self.request(body).map_err(|error| {
            self.refusal(ErrorKind::Internal, format!("the request cannot be put together: {error}"), None)
        })?;
        let wire = Wire::new();
        let loan = self
            .network
            .open(&self.url, head_size(&request), self.target.since, self.interrupt, &wire)
            .map_err(|failure| {
                let mut refusal = self.refusal(failure.kind, failure.message, None);
                refusal.status = wire.proxy_status();
                refusal
            })?;
        let response = self.exchange(&loan, request);
        self.wrote |= wire.wrote();
        let response = response.map_err(|error| {
            let failure = wire.failure().unwrap_or_else(|| not_http(*error));
            self.refusal(failure.kind, failure.message, None)
        })?;
        self.hop(response, &loan)
    }

    /// What came back, and the connection.
    #[inline(never)]
    #[expect(clippy::boxed_local, reason = "by value it would lie on the stack of the caller")]
    fn hop(&self, response: Box<Response<Body>>, loan: &Loan) -> Result<Box<Hop>, Box<Refusal>> {
        let (parts, body) = response.into_parts();
        let framing = Framing::of(parts.status.as_u16(), parts.version, &parts.headers);
        drop(body); // ureq gives the connection back with it
        let Some(mut transport) = loan.take_back() else {
            return Err(self.refusal(ErrorKind::Internal, "the connection did not come back", None));
        };
        transport.set_idle_timeout(self.config.idle_timeout);
        Ok(Box::new(Hop { head: head_of(&parts), parts, framing, transport }))
    }

    /// The deepest place of a connection's life. Its thread's stack stays as large as it was here, so that large values are
    /// kept elsewhere.
    #[inline(never)]
    fn exchange(
        &self,
        loan: &Loan,
        request: Box<Request<SendBody<'_>>>,
    ) -> Result<Box<Response<Body>>, Box<ureq::Error>> {
        self.agent(loan.clone()).run(*request).map(Box::new).map_err(Box::new)
    }

    #[inline(never)]
    fn agent(&self, loan: Loan) -> Agent {
        let timeout = self.config.response_timeout.unwrap_or(match self.method {
            Method::GET => Some(RESPONSE_TIMEOUT_OF_GET),
            _ => None,
        });
        // Whatever ureq would add or decide of its own accord is switched off.
        let settings = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .allow_non_standard_methods(true)
            .timeout_recv_response(timeout)
            .timeout_per_write(timeout)
            .build();
        Agent::with_parts(settings, loan, NoResolver)
    }

    #[inline(never)]
    fn request<'b>(&self, body: SendBody<'b>) -> Result<Box<Request<SendBody<'b>>>, ureq::http::Error> {
        let mut request = Request::builder().method(self.method.clone()).uri(self.url.request_uri()).body(body)?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        let coding = if self.config.compression { "gzip" } else { "identity" };
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding));
        const AGENT: &str = concat!("libeventsource/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        if self.url.host().contains('%') {
            // The zone of an IPv6 address means nothing to the server.
            headers.insert(header::HOST, HeaderValue::from_str(&self.url.host_header())?);
        }
        if !self.last_event_id.is_empty() {
            let id = HeaderValue::from_bytes(self.last_event_id.as_bytes())?;
            headers.insert(HeaderName::from_static("last-event-id"), id);
        }
        let home = self.target.url.origin();
        if let Some(basic) = self.target.url.basic().filter(|_| !self.strayed) {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(basic)?);
        }
        let made_get = self.method.as_str() != self.config.effective_method();
        for header in self.target.headers.iter() {
            if header.is_secret() && (self.strayed || !header.may_go_to(&home)) {
                continue;
            }
            // A redirect to GET leaves the body behind, and so what describes it.
            if made_get && header.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-")) {
                continue;
            }
            headers.insert(
                HeaderName::from_bytes(header.name.as_bytes())?,
                HeaderValue::from_bytes(header.value.as_bytes())?,
            );
        }
        Ok(Box::new(request))
    }

    /// Makes ready to ask where the redirect leads.
    #[inline(never)]
    fn follow(&mut self, hop: &Hop) -> Result<(), Box<Refusal>> {
        let status = hop.head.status;
        let next = match self.next_url(hop) {
            Ok(next) => next,
            Err((kind, reason)) => return Err(self.refusal(kind, reason, Some(hop.head.clone()))),
        };
        // Permanent redirects count only while nothing but permanent ones led there.
        self.permanent &= matches!(status, 301 | 308) && (self.url.is_https() || next.same_origin(&self.url));
        if self.permanent {
            self.remember = Some(next.clone());
        }
        if self.redirects == MOST_REDIRECTS {
            let reason = format!("more than {MOST_REDIRECTS} redirects");
            return Err(self.refusal(ErrorKind::Redirect, reason, Some(hop.head.clone())));
        }
        self.redirects += 1;
        self.go_to(next, status);
        Ok(())
    }

    /// Where a redirect leads, or why it leads nowhere.
    fn next_url(&self, hop: &Hop) -> Result<Url, (ErrorKind, String)> {
        let status = hop.head.status;
        let Some(location) = hop.parts.headers.get(header::LOCATION) else {
            return Err((ErrorKind::HttpStatus, format!("the server answered {status} without a Location")));
        };
        let next = self.url.join(location.as_bytes()).map_err(|reason| (ErrorKind::Redirect, reason))?;
        if self.url.is_https() && !next.is_https() {
            return Err((ErrorKind::Redirect, "a redirect from https to http is refused".into()));
        }
        if self.config.https_only && !next.is_https() {
            return Err((ErrorKind::Redirect, "https_only is set: a redirect to http is refused".into()));
        }
        Ok(next)
    }

    fn go_to(&mut self, next: Url, status: u16) {
        self.strayed |= !next.same_origin(&self.target.url);
        if matches!(status, 301..=303) && self.method != Method::GET {
            self.method = Method::GET;
            self.body = None;
        }
        self.url = next;
    }

    /// A response that is no redirect: does it open a stream?
    #[inline(never)]
    fn judge(&self, hop: Box<Hop>) -> Result<(Box<Opened>, Connection), Box<Refusal>> {
        let status = hop.head.status;
        if status != 200 {
            let reason = match hop.parts.status.canonical_reason() {
                Some(reason) => format!("the server answered {status} {reason}"),
                None => format!("the server answered {status}"),
            };
            return Err(self.refuse(ErrorKind::HttpStatus, reason, hop));
        }
        let headers = &hop.parts.headers;
        let content_types: Vec<&[u8]> =
            headers.get_all(header::CONTENT_TYPE).iter().map(HeaderValue::as_bytes).collect();
        let content_type = content_types.join(&b", "[..]);
        if !mime::is_event_stream(&content_type) {
            let reason = match content_types.is_empty() {
                false => format!(
                    "the response is not text/event-stream but {}",
                    String::from_utf8_lossy(&content_type).chars().take(100).collect::<String>().escape_debug()
                ),
                true => "the response has no content type; it has to be text/event-stream".into(),
            };
            return Err(self.refuse(ErrorKind::ContentType, reason, hop));
        }
        if let Some(other) = headers.get_all(header::TRANSFER_ENCODING).iter().find(|value| !is_chunked(value)) {
            let reason = format!("the response's transfer coding is not known: {other:?}");
            return Err(self.refuse(ErrorKind::Io, reason, hop));
        }
        let gzip = match coding(headers) {
            Ok(gzip) => gzip,
            Err(reason) => return Err(self.refuse(ErrorKind::Encoding, reason, hop)),
        };
        let Hop { head, framing, transport, .. } = *hop;
        let connection = Connection::new(transport, framing, gzip);
        Ok((Box::new(Opened { head, url: self.url.clone() }), connection))
    }

    /// Keeps the first bytes of the refused response, for the application to show or to log.
    #[allow(clippy::boxed_local)] // boxed already, and large on the stack that every idle stream keeps
    #[inline(never)]
    fn refuse(&self, kind: ErrorKind, reason: String, hop: Box<Hop>) -> Box<Refusal> {
        let Hop { head, parts, framing, mut transport } = *hop;
        let mut refusal = self.refusal(kind, reason, Some(head));
        transport.limit_reads_until(Instant::now() + REFUSED_BODY_TIME);
        let mut connection = Connection::new(transport, framing, coding(&parts.headers) == Ok(true));
        let mut body = vec![0; REFUSED_BODY_BYTES];
        let mut len = 0;
        while len < body.len() {
            match connection.read(&mut body[len..], true) {
                // An error here ends the body early; what has come so far is kept.
                Ok(None | Some(0)) | Err(_) => break,
                Ok(Some(n)) => len += n,
            }
        }
        body.truncate(len);
        refusal.body = TextBuf::from_lossy(&body);
        refusal
    }
}

/// At least what the request's head takes, with what ureq adds: Host and Content-Length.
fn head_size<B>(request: &Request<B>) -> usize {
    let url = request.method().as_str().len() + 2 * request.uri().to_string().len();
    let header = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    url + request.headers().iter().map(header).sum::<usize>() + 100
}

#[inline(never)]
fn head_of(parts: &Parts) -> Head {
    Head {
        status: parts.status.as_u16(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (TextBuf::from(name.as_str()), TextBuf::from_lossy(value.as_bytes())))
            .collect(),
    }
}

/// What came over the wire was no HTTP response, or broke off.
fn not_http(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::Io(error) => body::in_words(&error),
        ureq::Error::Timeout(_) => Failure::new(ErrorKind::TimedOut, "the server did not answer in time"),
        error => Failure::new(ErrorKind::Io, format!("the response is not HTTP: {error}")),
    }
}

fn is_chunked(value: &HeaderValue) -> bool {
    let value = value.as_bytes().trim_ascii();
    value.eq_ignore_ascii_case(b"chunked") || value.eq_ignore_ascii_case(b"identity")
}

/// Whether the body is gzip; an error in words where it is something else again.
fn coding(headers: &ureq::http::HeaderMap) -> Result<bool, String> {
    let mut gzip = false;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for coding in value.as_bytes().split(|byte| *byte == b',') {
            let coding = coding.trim_ascii();
            if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            if gzip || !(coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip")) {
                let coding = String::from_utf8_lossy(value.as_bytes());
                return Err(format!("the response's content coding is not known: {}", coding.escape_debug()));
            }
            gzip = true;
        }
    }
    Ok(gzip)
}
