//! Other clients in Rust as conformance runners: conformance-peers reqwest-eventsource|eventsource-client. The protocol is in
//! ../../README.md.

use std::collections::HashMap;
use std::io::BufRead;
use std::time::Duration;

use eventsource_conformance::words::{line, words};
use futures::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What happens, as a runner says it.
type Said = Vec<String>;
type Events = std::pin::Pin<Box<dyn futures::Stream<Item = Said>>>;

fn said(words: &[&str]) -> Said {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn say(words: &[&str]) {
    println!("{}", line(words));
}

fn reqwest_eventsource(url: &str, sets: &[Said], first: u64) -> Result<Events, String> {
    use reqwest_eventsource::{Event, EventSource, ReadyState, retry::Constant};
    let url: reqwest::Url = url.parse().map_err(|e| format!("{e}"))?;
    let method = sets.iter().find(|set| set[0] == "method").map_or("GET", |set| &set[1]);
    let method = method.parse().map_err(|_| "the method".to_owned())?;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(20)).build();
    let request = client.map_err(|e| e.to_string())?.request(method, url);
    // Which it leaves to the caller.
    let mut request = request.header("Cache-Control", "no-cache").header("Pragma", "no-cache");
    for set in sets {
        request = match set[0].as_str() {
            "header" => request.header(&set[1], set[2].as_bytes()),
            "body" => request.body(set[1].clone()),
            _ => request,
        };
    }
    let mut source = EventSource::new(request).map_err(|e| e.to_string())?;
    // A constant wait, which `retry:` replaces.
    source.set_retry_policy(Box::new(Constant::new(Duration::from_millis(first), None)));
    Ok(Box::pin(futures::stream::unfold(source, |mut source| async {
        let said = match source.next().await? {
            Ok(Event::Open) => said(&["open"]),
            Ok(Event::Message(m)) => said(&["message", "type", &m.event, "data", &m.data, "id", &m.id]),
            Err(_) if source.ready_state() == ReadyState::Closed => said(&["error", "state", "closed"]),
            Err(_) => said(&["error", "state", "connecting"]),
        };
        Some((said, source))
    })))
}

fn eventsource_client(url: &str, sets: &[Said], first: u64) -> Result<Events, String> {
    use eventsource_client::{Client, ClientBuilder, ReconnectOptions, SSE};
    let builder = ClientBuilder::for_url(url).map_err(|e| e.to_string())?;
    let mut builder = builder.header("Pragma", "no-cache").map_err(|e| e.to_string())?;
    for set in sets {
        builder = match set[0].as_str() {
            "header" => builder.header(&set[1], &set[2]).map_err(|e| e.to_string())?,
            "method" => builder.method(set[1].clone()),
            "body" => builder.body(set[1].clone()),
            _ => builder,
        };
    }
    let wait = Duration::from_millis(first);
    // The first failure is retried like any other, and the wait does not grow.
    let options = ReconnectOptions::reconnect(true).retry_initial(true).delay(wait).backoff_factor(1).delay_max(wait);
    let transport = launchdarkly_sdk_transport::HyperTransport::builder().build_http().map_err(|e| e.to_string())?;
    let client = builder.reconnect(options.build()).redirect_limit(20).build_with_transport(transport);
    let mut last = String::new();
    // As the standard has it: a status is final, for whoever asks for no more.
    let events = futures::stream::unfold(Some(client.stream()), |stream| async {
        let mut stream = stream?;
        let event = stream.next().await?;
        let over = matches!(event, Err(eventsource_client::Error::UnexpectedResponse(..)));
        Some((event, if over { None } else { Some(stream) }))
    });
    let events = events.filter(|event| {
        // The standard ignores comments.
        std::future::ready(!matches!(event, Ok(SSE::Comment(_))))
    });
    let events = events.map(move |event| match event {
        Ok(SSE::Connected(_)) => said(&["open"]),
        Ok(SSE::Event(event)) => {
            last = event.id.unwrap_or(std::mem::take(&mut last));
            said(&["message", "type", &event.event_type, "data", &event.data, "id", &last])
        }
        Ok(SSE::Comment(_)) => said(&["comment"]),
        Err(_) => said(&["error"]),
    });
    Ok(Box::pin(events))
}

/// Says what happens until it ends or a line comes, which can only be a `do close` or the `end`.
async fn follow(
    events: &mut Events,
    rules: &HashMap<(String, usize), String>,
    input: &mut UnboundedReceiver<Said>,
) -> Option<Said> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    loop {
        tokio::select! {
            biased;
            words = input.recv() => return words,
            event = events.next() => {
                let Some(words) = event else { return None };
                let count = counts.entry(words[0].clone()).or_default();
                *count += 1;
                let closes = rules.contains_key(&(words[0].clone(), *count));
                println!("{}", line(&words));
                if closes {
                    return None;
                }
            }
        }
    }
}

async fn run(name: &str, mut input: UnboundedReceiver<Said>) {
    let (mut url, mut sets, mut rules, mut first) = (String::new(), Vec::new(), HashMap::new(), 10);
    let mut next = None;
    loop {
        let Some(words) = (if next.is_some() { next.take() } else { input.recv().await }) else { return };
        match words[0].as_str() {
            "set" if words[1] == "url" => url = words[2].clone(),
            "set" if words[1] == "retry" => first = words[2].parse().unwrap_or(10).max(10),
            "set" if ["header", "method", "body"].contains(&words[1].as_str()) => sets.push(words[1..].to_vec()),
            "set" if words[1] == "standard_status" => {} // which is how they are
            "set" => say(&["lacks", &words[1]]),
            "on" => drop(rules.insert((words[1].clone(), words[2].parse().unwrap_or(0)), words[3].clone())),
            "start" => {
                let start = if name == "reqwest-eventsource" { reqwest_eventsource } else { eventsource_client };
                match start(&url, &sets, first) {
                    Ok(mut events) => next = follow(&mut events, &rules, &mut input).await,
                    Err(_) => say(&["refused"]),
                }
            }
            "end" => {
                (sets, rules, first) = (Vec::new(), HashMap::new(), 10);
                say(&["ended"]);
            }
            _ => {}
        }
    }
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let (tell, input) = unbounded_channel();
    std::thread::spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).try_for_each(|line| tell.send(words(&line)))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(&name, input));
}
