//! Scripts, requests and facts as JSON, for the tests of other languages. The format is in `README.md`.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};

use crate::record::{ConnectionFacts, Request};
use crate::script::{Framing, Head, Replies, Reply, Script, Step};
use crate::tls::{Ca, Fault, Tls, TlsFacts};
use crate::wire::PeerEnd;

type Result<T> = std::result::Result<T, String>;

/// `{"path": ..., "replies": [SCRIPT, ...]}` gives the replies; `{"path": ..., "steps": SCRIPT}` one.
pub fn replies(value: &Value) -> Result<Replies> {
    if let Some(steps) = value.get("steps") {
        return Ok(script(steps)?.into());
    }
    let all = value["replies"].as_array().filter(|a| !a.is_empty()).ok_or("replies or steps are missing")?;
    all.iter().map(|s| script(s).map(Reply::from)).collect::<Result<Vec<_>>>().map(Replies)
}

/// An array of steps.
pub fn script(value: &Value) -> Result<Script> {
    let steps = value.as_array().ok_or_else(|| format!("a script is an array of steps, not {value}"))?;
    let mut script = Script::new();
    for step in steps {
        script.steps.extend(self::steps(step).map_err(|e| format!("{e} in step {step}"))?);
    }
    Ok(script)
}

/// One step in JSON is one step, or a few where it is a shorthand.
fn steps(value: &Value) -> Result<Vec<Step>> {
    if let Some(name) = value.as_str() {
        return Ok(vec![match name {
            "sse" => return Ok(Script::sse().steps),
            "end" => Step::End,
            "end_body" => Step::EndBody,
            "fin" => Step::Fin,
            "truncate" => Step::Truncate,
            "half_close" => Step::HalfClose,
            "reset" => Step::Reset,
            "stall" => Step::Stall,
            "next_request" => Step::NextRequest,
            _ => return Err("no such step".into()),
        }]);
    }
    let object = value.as_object().filter(|o| o.len() == 1).ok_or("a step is a word or an object with one key")?;
    let (name, v) = object.iter().next().ok_or("an empty step")?;
    Ok(vec![match name.as_str() {
        "head" => Step::Head(head(v, Vec::new())?),
        "sse" => Step::Head(head(v, vec![(b"Content-Type".to_vec(), b"text/event-stream".to_vec())])?),
        "redirect" => {
            let status = v[0].as_u64().and_then(|n| u16::try_from(n).ok()).ok_or("a redirect is [status, location]")?;
            // As it ends the connection, it says so: clients with a pool would come again on it.
            let mut steps = Script::redirect(status, bytes(&v[1])?).header("Connection", "close").steps;
            steps.push(Step::End);
            return Ok(steps);
        }
        "events" => return Ok(Script::events(bytes(v)?).steps),
        "send" => Step::Send(bytes(v)?),
        "body" => Step::Body(bytes(v)?),
        "trickle" => {
            let pause = Duration::from_secs_f64(v["pause_ms"].as_f64().unwrap_or(0.0).max(0.0) / 1000.0);
            Step::Trickle { bytes: bytes(&v["bytes"])?, piece: count(&v["piece"]).unwrap_or(1), pause }
        }
        "endless" => Step::Endless { unit: bytes(&v["unit"])?, limit: count(&v["limit"]).ok_or("a limit is missing")? },
        "pause_ms" => Step::Pause(Duration::from_millis(v.as_u64().ok_or("not a number")?)),
        "wait_for" => Step::WaitFor(text(v)?),
        "tell" => Step::Tell(text(v)?),
        _ => return Err("no such step".into()),
    }])
}

fn head(value: &Value, mut headers: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Head> {
    let object = value.as_object().ok_or("a head is an object")?;
    let known = ["status", "reason", "status_line", "headers", "framing", "length", "gzip"];
    if let Some(unknown) = object.keys().find(|k| !known.contains(&k.as_str())) {
        return Err(format!("a head has no {unknown:?}"));
    }
    for pair in value["headers"].as_array().into_iter().flatten() {
        headers.push((bytes(&pair[0])?, bytes(&pair[1])?));
    }
    let framing = match (value["framing"].as_str(), value["length"].as_u64()) {
        (None, Some(length)) => Framing::Length(length),
        (None | Some("close"), None) => Framing::UntilClose,
        (Some("chunked"), None) => Framing::Chunked,
        _ => return Err("framing is \"close\" or \"chunked\", or there is a length".into()),
    };
    let status = value["status"].as_u64().unwrap_or(200);
    let status_line = match object.get("status_line") {
        Some(line) => bytes(line)?,
        None => format!("HTTP/1.1 {status} {}", value["reason"].as_str().unwrap_or("Status")).into_bytes(),
    };
    Ok(Head { status_line, headers, framing, gzip: value["gzip"].as_bool().unwrap_or(false) })
}

/// A string (its UTF-8), `{"base64": ...}`, or `{"repeat": BYTES, "times": n}`.
fn bytes(value: &Value) -> Result<Vec<u8>> {
    if let Some(text) = value.as_str() {
        Ok(text.as_bytes().to_vec())
    } else if let Some(coded) = value["base64"].as_str() {
        BASE64_STANDARD.decode(coded).map_err(|e| format!("base64: {e}"))
    } else if let (Some(unit), Some(times)) = (value.get("repeat"), count(&value["times"])) {
        Ok(bytes(unit)?.repeat(times))
    } else {
        Err(format!("not bytes: {value}"))
    }
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("not a string: {value}"))
}

fn count(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|n| usize::try_from(n).ok())
}

/// A member that has to be a string.
pub fn name(value: &Value, key: &str) -> Result<String> {
    text(&value[key]).map_err(|e| format!("{key}: {e}"))
}

/// A member that has to be a number.
pub fn size(value: &Value, key: &str) -> Result<usize> {
    count(&value[key]).ok_or_else(|| format!("{key} is missing, or not a number"))
}

/// `{}` or `true` for `Tls::new()`, with any of `fault`, `names`, `intermediate`, `client_ca`, `tls12`, `alpn`. The
/// authority comes back if clients need certificates of it.
pub fn tls(value: &Value) -> Result<(Tls, Option<Ca>)> {
    let mut tls = Tls::new();
    let mut client_ca = None;
    for (key, v) in value.as_object().unwrap_or(&Map::new()) {
        let strings = || v.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
        let on = v.as_bool() == Some(true);
        tls = match key.as_str() {
            "fault" => tls.fault(match v.as_str() {
                Some("expired") => Fault::Expired,
                Some("not_yet_valid") => Fault::NotYetValid,
                Some("wrong_host") => Fault::WrongHost,
                Some("self_signed") => Fault::SelfSigned,
                Some("unknown_ca") => Fault::UnknownCa,
                Some("missing_intermediate") => Fault::MissingIntermediate,
                _ => return Err(format!("no such fault: {v}")),
            }),
            "names" => tls.names(&strings()),
            "alpn" => tls.alpn(&strings()),
            "intermediate" if on => tls.intermediate(),
            "tls12" if on => tls.tls12(),
            "client_ca" if on => tls.client_ca(client_ca.insert(Ca::new())),
            _ => return Err(format!("no such TLS option: {key}: {v}")),
        };
    }
    Ok((tls, client_ca))
}

/// As text, and where the bytes are not UTF-8, in base64 too.
fn put(object: &mut Map<String, Value>, key: &str, bytes: &[u8]) {
    object.insert(key.into(), String::from_utf8_lossy(bytes).into());
    if std::str::from_utf8(bytes).is_err() {
        object.insert(format!("{key}_base64"), BASE64_STANDARD.encode(bytes).into());
    }
}

/// A recorded request.
pub fn request(request: &Request) -> Value {
    let headers: Vec<Value> =
        request.headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect();
    let mut object = Map::new();
    object.insert("number".into(), request.number.into());
    object.insert("connection".into(), request.connection.into());
    object.insert("method".into(), request.method.as_str().into());
    object.insert("target".into(), request.target.as_str().into());
    object.insert("headers".into(), headers.into());
    put(&mut object, "raw_head", &request.raw_head);
    put(&mut object, "body", &request.body);
    object.insert("tls".into(), request.tls.as_ref().map_or(Value::Null, tls_facts));
    object.into()
}

/// What is known about a connection.
pub fn connection(facts: &ConnectionFacts) -> Value {
    json!({
        "number": facts.number,
        "peer_end": facts.peer_end.map(peer_end),
        "held": facts.held,
        "received": facts.received,
        "sent": facts.sent,
        "close_notify": facts.close_notify,
        "tls_error": facts.tls_error,
        "tls": facts.tls.as_ref().map(tls_facts),
    })
}

/// `"closed"` or `"reset"`.
pub fn peer_end(end: PeerEnd) -> &'static str {
    match end {
        PeerEnd::Closed => "closed",
        PeerEnd::Reset => "reset",
    }
}

fn tls_facts(facts: &TlsFacts) -> Value {
    json!({
        "sni": facts.sni,
        "alpn": facts.alpn,
        "resumed": facts.resumed,
        "version": facts.version,
        "client_certificates": facts.client_certificates,
    })
}
