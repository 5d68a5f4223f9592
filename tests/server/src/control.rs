//! Driving servers over HTTP: `POST /SERVER/CALL` with JSON in and out, for tests in other languages.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

use crate::connection::Connection;
use crate::json;
use crate::record::Request;
use crate::script::Script;
use crate::tls::{Ca, Tls};
use crate::{DEADLINE, Server};

/// The control port, and the servers it commands; server 0 is there from the start.
pub struct Control {
    port: Server,
    servers: Arc<Servers>,
}

#[derive(Default)]
struct Servers {
    table: Mutex<Table>,
    over: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

#[derive(Default)]
struct Table {
    next: usize,
    servers: BTreeMap<usize, Arc<Commanded>>,
}

struct Commanded {
    server: Server,
    client_ca: Option<Ca>,
}

impl Control {
    /// Starts the control port and server 0, which does TLS if `tls` is given. `over` runs when somebody calls
    /// `shutdown`.
    pub fn start(tls: Option<&Tls>, over: impl FnOnce() + Send + 'static) -> Control {
        let servers = Arc::new(Servers::default());
        *lock(&servers.over) = Some(Box::new(over));
        let first = tls.map_or_else(Server::start, Server::start_tls);
        servers.add(Commanded { server: first, client_ca: None });
        let port = Server::start();
        let shared = Arc::clone(&servers);
        port.handle_rest(move |request, connection| answer(&shared, request, connection));
        Control { port, servers }
    }

    /// The URL of the control port.
    pub fn url(&self) -> String {
        self.port.url("")
    }

    /// What server 0 is: its URL and, with TLS, its certificates.
    pub fn describe_first(&self) -> Value {
        self.servers.get(0).map_or(Value::Null, |s| describe(0, &s))
    }

    /// Stops everything and gives the problems of all servers that are still there.
    pub fn end(self) -> Vec<String> {
        let servers = std::mem::take(&mut lock(&self.servers.table).servers);
        let mut problems = self.port.take_problems();
        for commanded in servers.values() {
            problems.extend(commanded.server.take_problems());
        }
        problems
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Servers {
    fn add(&self, server: Commanded) -> usize {
        let mut table = lock(&self.table);
        let number = table.next;
        table.next += 1;
        table.servers.insert(number, Arc::new(server));
        number
    }

    fn get(&self, number: usize) -> Result<Arc<Commanded>, String> {
        lock(&self.table).servers.get(&number).cloned().ok_or_else(|| format!("no server {number}"))
    }
}

fn answer(servers: &Servers, request: &Request, connection: &mut Connection) -> io::Result<()> {
    let result = call(servers, request);
    let (status, value) = match result {
        Ok(value) => (200, value),
        Err(message) => (400, json!({ "error": message })),
    };
    let text = value.to_string();
    let head =
        Script::status(status, "Status").header("Content-Type", "application/json").header("Connection", "close");
    let answered = connection.run(&head.length(text.len() as u64).body(text).end());
    // Last, since all ends with it.
    if request.path() == "/shutdown" {
        if let Some(over) = lock(&servers.over).take() {
            over();
        }
    }
    answered
}

fn call(servers: &Servers, request: &Request) -> Result<Value, String> {
    let arguments: Value = match request.body.as_slice() {
        [] => json!({}),
        body => serde_json::from_slice(body).map_err(|e| format!("not JSON: {e}"))?,
    };
    let a = &arguments;
    match request.path() {
        "/start" => return start(servers, a),
        "/shutdown" => return Ok(json!({})), // and `answer` does it
        _ => {}
    }
    let no_call = || format!("no call {}", request.path());
    let (number, call) = request.path()[1..].split_once('/').ok_or_else(no_call)?;
    let number = number.parse().map_err(|_| no_call())?;
    let commanded = servers.get(number)?;
    let server = &commanded.server;
    let timeout = a["timeout_ms"].as_u64().map_or(DEADLINE, Duration::from_millis);
    match call {
        "describe" => return Ok(describe(number, &commanded)),
        "on" => server.on(&json::name(a, "path")?, json::replies(a)?),
        "on_connection" => server.on_connection(json::size(a, "number")?, json::script(&a["steps"])?),
        "on_every_connection" => server.on_every_connection(json::script(&a["steps"])?),
        "go" => server.go(&json::name(a, "name")?),
        "wait_until_told" => server.try_wait_until_told(&json::name(a, "name")?, timeout)?,
        "requests" => return Ok(server.requests().iter().map(json::request).collect()),
        "wait_for_requests" => {
            let requests = server.try_wait_for_requests(json::size(a, "n")?, timeout)?;
            return Ok(requests.iter().map(json::request).collect());
        }
        "connections" => return Ok(server.connections().iter().map(json::connection).collect()),
        "wait_for_connections" => {
            let connections = server.try_wait_for_connections(json::size(a, "n")?, timeout)?;
            return Ok(connections.iter().map(json::connection).collect());
        }
        "connections_open" => return Ok(server.connections_open().into()),
        "wait_for_open" => server.try_wait_for_open(json::size(a, "n")?, timeout)?,
        "wait_for_peer_end" => {
            return Ok(json::peer_end(server.try_wait_for_peer_end(json::size(a, "number")?, timeout)?).into());
        }
        "drop_connections" => server.drop_connections(),
        "reset" => server.reset(),
        "refuse" => server.refuse(),
        "stop_accepting" => server.stop_accepting(),
        "listen" => server.listen(),
        "client_identity" => {
            let ca = commanded.client_ca.as_ref().ok_or("a server that asks no client for a certificate")?;
            return Ok(ca.client_identity(&json::name(a, "name")?).into());
        }
        "problems" => return Ok(server.take_problems().into()),
        "stop" => {
            lock(&servers.table).servers.remove(&number);
            return Ok(server.take_problems().into());
        }
        _ => return Err(no_call()),
    }
    Ok(json!({}))
}

fn start(servers: &Servers, a: &Value) -> Result<Value, String> {
    let address: SocketAddr = match a["ipv6"].as_bool() {
        Some(true) => (Ipv6Addr::LOCALHOST, 0).into(),
        _ => (Ipv4Addr::LOCALHOST, 0).into(),
    };
    let (server, client_ca) = if a["tls"].is_object() {
        let (tls, client_ca) = json::tls(&a["tls"])?;
        (Server::start_tls_on(address, &tls), client_ca)
    } else {
        (Server::start_on(address), None)
    };
    let number = servers.add(Commanded { server, client_ca });
    Ok(describe(number, &*servers.get(number)?))
}

fn describe(number: usize, commanded: &Commanded) -> Value {
    let server = &commanded.server;
    let mut value = json!({
        "server": number,
        "url": server.url(""),
        "url_by_name": server.url_by_name(""),
        "port": server.port(),
    });
    if server.is_tls() {
        value["ca_pem"] = server.ca_pem().into();
        value["leaf_pem"] = server.leaf_pem().into();
        value["leaf_pin"] = server.leaf_pin().into();
    }
    value
}
