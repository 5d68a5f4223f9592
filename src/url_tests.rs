//! URLs against the tables of RFC 3986, against http::Uri, and against what people type.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn refused(text: &str) -> String {
    match Url::parse(text) {
        Err(ConfigError::Url(why)) => why,
        other => panic!("{text:?} became {other:?}"),
    }
}

fn joined(base: &str, location: &str) -> String {
    parse(base).join(location.as_bytes()).unwrap_or_else(|why| panic!("{location}: {why}")).request_uri().to_owned()
}

#[test]
fn serialises_as_it_goes_on_the_wire() {
    let table = [
        ("http://example.com", "http://example.com/"),
        ("HTTP://EXAMPLE.com/A", "http://example.com/A"),
        ("http://example.com:80/", "http://example.com/"),
        ("https://example.com:443/", "https://example.com/"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("http://example.com:/", "http://example.com/"),
        ("http://example.com:00081/", "http://example.com:81/"),
        ("http://example.com:65535", "http://example.com:65535/"),
        ("http://example.com?a=b", "http://example.com/?a=b"),
        ("http://example.com#top", "http://example.com/"),
        ("http://example.com/a?b#c?d", "http://example.com/a?b"),
        ("http://example.com/a?b?c", "http://example.com/a?b?c"),
        ("http://example.com/?", "http://example.com/?"),
        ("http://example.com/a b?c d", "http://example.com/a%20b?c%20d"),
        ("http://example.com/{}|\"<>\\^`", "http://example.com/%7B%7D%7C%22%3C%3E%5C%5E%60"),
        ("http://example.com/?{}|\"<>\\^`", "http://example.com/?%7B%7D%7C%22%3C%3E%5C%5E%60"),
        ("http://example.com/caf\u{e9}?\u{1f600}", "http://example.com/caf%C3%A9?%F0%9F%98%80"),
        ("http://example.com/\u{1}\u{7f}", "http://example.com/%01%7F"),
        ("http://example.com/%2F%zz%", "http://example.com/%2F%zz%"),
        ("http://example.com/a[1]?b[]=2", "http://example.com/a[1]?b[]=2"),
        ("http://example.com/!$&'()*+,;=:@-._~", "http://example.com/!$&'()*+,;=:@-._~"),
        ("http://example.com/a/./b/../c", "http://example.com/a/c"),
        ("http://example.com/a/%2e/b/.%2E/c", "http://example.com/a/c"),
        ("http://example.com/../../a", "http://example.com/a"),
        ("http://example.com/a/..", "http://example.com/"),
        ("http://example.com/a/b/.", "http://example.com/a/b/"),
        ("http://example.com//a///b", "http://example.com//a///b"),
        ("http://example.com//..", "http://example.com/"),
        ("http://example.com///..", "http://example.com//"),
        ("http://example.com/...", "http://example.com/..."),
        ("http://example.com/?a/../b", "http://example.com/?a/../b"),
        ("http://example.com./", "http://example.com./"),
        ("http://my_service:8080/", "http://my_service:8080/"),
        ("http://127.1/", "http://127.1/"),
        ("http://0x7f000001/", "http://0x7f000001/"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),
        ("http://[::FFFF:1.2.3.4]/", "http://[::ffff:1.2.3.4]/"),
        ("http://[fe80::1%25eth0]/", "http://[fe80::1%25eth0]/"),
        ("http://[fe80::1%eth0]:81/", "http://[fe80::1%25eth0]:81/"),
        ("http://[fe80::1%253]/", "http://[fe80::1%253]/"),
        (" \t\nhttp://exam\nple.com/a\tb\r\n ", "http://example.com/ab"),
        ("http://user:pass@example.com/a", "http://example.com/a"),
    ];
    for (given, want) in table {
        assert_eq!(parse(given).request_uri(), want, "{given:?}");
        assert_eq!(parse(given).text().as_str(), want, "{given:?}");
    }
}

#[test]
fn refuses_in_clear_words() {
    let table = [
        ("", "http:// or https://"),
        ("   ", "http:// or https://"),
        ("example.com/a", "http:// or https://"),
        ("example.com:80/a", "http:// or https://"),
        ("/a", "http:// or https://"),
        ("//example.com/a", "http:// or https://"),
        ("ftp://example.com/", "http:// or https://"),
        ("httpx://example.com/", "http:// or https://"),
        ("://example.com/", "http:// or https://"),
        ("http:example.com", "two slashes"),
        ("http:/example.com", "two slashes"),
        ("http://", "no host"),
        ("http:///path", "no host"),
        ("http://?q", "no host"),
        ("http://:80/", "no host"),
        ("http://user@/", "no host"),
        ("http://example.com:65536/", "0 to 65535"),
        ("http://example.com:99999/", "0 to 65535"),
        ("http://example.com:18446744073709551696/", "0 to 65535"),
        ("http://example.com:+80/", "0 to 65535"),
        ("http://example.com:8o/", "0 to 65535"),
        ("http://example.com:80:80/", "0 to 65535"),
        ("http://b\u{fc}cher.example/", "punycode"),
        ("http://ex ample.com/", "no host name has"),
        ("http://ex%61mple.com/", "no host name has"),
        ("http://a<b/", "no host name has"),
        ("http://example.com]/", "no host name has"),
        ("http://a\\@b/", "backslash"),
        ("http://[::1/", "no ']'"),
        ("http://[::1]80/", "may follow"),
        ("http://[::g]/", "IPv6"),
        ("http://[]/", "IPv6"),
        ("http://[1.2.3.4]/", "IPv6"),
        ("http://[fe80::1%]/", "zone"),
        ("http://[fe80::1%25]/", "zone"),
        ("http://[fe80::1%e th]/", "zone"),
    ];
    for (given, why) in table {
        assert!(refused(given).contains(why), "{given:?}: {}", refused(given));
    }
    assert!(refused(&format!("http://a/{}", "b".repeat(65_534 - 8))).contains("65 534"));
    assert_eq!(parse(&format!("http://a/{}", "b".repeat(65_534 - 9))).request_uri().len(), 65_534);
    // Three bytes each once they are encoded.
    assert!(refused(&format!("http://a/{}", " ".repeat(22_000) + "b")).contains("65 534"));
}

#[test]
fn never_quotes_userinfo() {
    for url in [
        "http://sesame:tulip@",
        "http://sesame:tulip@b\u{fc}/",
        "http://sesame:tu/lip@a/",
        "sesame:tulip@a",
        "http://a:sesame",
    ] {
        let why = refused(url);
        assert!(!why.contains("sesame") && !why.contains("lip"), "{why}");
    }
    let url = parse("https://sesame:tulip@example.com/");
    assert!(!format!("{url:?}").contains("tulip"), "{url:?}");
}

#[test]
fn userinfo_becomes_basic_credentials() {
    let table = [
        ("http://Aladdin:open%20sesame@a/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
        ("http://Aladdin:open sesame@a/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
        ("http://user@a/", Some("Basic dXNlcjo=")),
        ("http://user:@a/", Some("Basic dXNlcjo=")),
        ("http://:pass@a/", Some("Basic OnBhc3M=")),
        ("http://a@b:c:d@e/", Some("Basic YUBiOmM6ZA==")),
        ("http://p%zz:%4@a/", Some("Basic cCV6ejolNA==")),
        ("http://%C3%BC:\u{fc}@a/", Some("Basic w7w6w7w=")),
        ("http://@a/", None),
        ("http://:@a/", None),
        ("http://a/x@y", None),
        ("http://a/", None),
    ];
    for (given, want) in table {
        assert_eq!(parse(given).basic(), want, "{given}");
    }
}

#[test]
fn tells_host_port_and_origin() {
    let url = parse("https://[FE80::1%25eth0]:8443/");
    assert_eq!((url.host(), url.port(), url.is_https()), ("fe80::1%eth0", 8443, true));
    assert_eq!(url.host_header(), "[fe80::1]:8443");
    assert_eq!(parse("http://Example.com:80/").host_header(), "example.com");
    assert_eq!(parse("http://example.com:443/").host_header(), "example.com:443");
    let same = |a: &str, b: &str| {
        let (a, b) = (parse(a), parse(b));
        assert_eq!(a.same_origin(&b), a.origin() == b.origin());
        a.same_origin(&b)
    };
    assert!(same("http://a/x", "http://u:p@A:80/y?z"));
    assert!(!same("http://a/", "https://a/"));
    assert!(!same("http://a/", "http://a:81/"));
    assert!(!same("http://a/", "http://a.b/"));
    assert!(!same("http://a:443/", "https://a:443/"));
}

#[test]
fn joins_as_rfc_3986_section_5_4_says() {
    // The RFC's base has a path parameter and a query; `d;p?q` is its name for them. Fragments are not kept.
    let normal = [
        ("http:g", None),
        ("g:h", None),
        ("g", Some("http://a/b/c/g")),
        ("./g", Some("http://a/b/c/g")),
        ("g/", Some("http://a/b/c/g/")),
        ("/g", Some("http://a/g")),
        ("//g", Some("http://g/")),
        ("?y", Some("http://a/b/c/d;p?y")),
        ("g?y", Some("http://a/b/c/g?y")),
        ("#s", Some("http://a/b/c/d;p?q")),
        ("g#s", Some("http://a/b/c/g")),
        ("g?y#s", Some("http://a/b/c/g?y")),
        (";x", Some("http://a/b/c/;x")),
        ("g;x", Some("http://a/b/c/g;x")),
        ("g;x?y#s", Some("http://a/b/c/g;x?y")),
        (".", Some("http://a/b/c/")),
        ("./", Some("http://a/b/c/")),
        ("..", Some("http://a/b/")),
        ("../", Some("http://a/b/")),
        ("../g", Some("http://a/b/g")),
        ("../..", Some("http://a/")),
        ("../../", Some("http://a/")),
        ("../../g", Some("http://a/g")),
        ("../../../g", Some("http://a/g")),
        ("../../../../g", Some("http://a/g")),
        ("/./g", Some("http://a/g")),
        ("/../g", Some("http://a/g")),
        ("g.", Some("http://a/b/c/g.")),
        (".g", Some("http://a/b/c/.g")),
        ("g..", Some("http://a/b/c/g..")),
        ("..g", Some("http://a/b/c/..g")),
        ("./../g", Some("http://a/b/g")),
        ("./g/.", Some("http://a/b/c/g/")),
        ("g/./h", Some("http://a/b/c/g/h")),
        ("g/../h", Some("http://a/b/c/h")),
        ("g;x=1/./y", Some("http://a/b/c/g;x=1/y")),
        ("g;x=1/../y", Some("http://a/b/c/y")),
        ("g?y/./x", Some("http://a/b/c/g?y/./x")),
        ("g?y/../x", Some("http://a/b/c/g?y/../x")),
        ("g#s/./x", Some("http://a/b/c/g")),
        ("g#s/../x", Some("http://a/b/c/g")),
    ];
    let base = parse("http://a/b/c/d;p?q");
    for (location, want) in normal {
        let got = base.join(location.as_bytes()).ok();
        assert_eq!(got.as_ref().map(Url::request_uri), want, "{location}");
    }
}

#[test]
fn joins_what_servers_really_send() {
    let base = "https://user:pass@a.example:8443/b/c?q";
    let table = [
        ("https://b.example/x", "https://b.example/x"),
        ("http://b.example/x", "http://b.example/x"),
        ("HTTPS://B.example", "https://b.example/"),
        ("//b.example:444/x?y", "https://b.example:444/x?y"),
        ("/events?a b", "https://a.example:8443/events?a%20b"),
        ("/caf\u{e9}", "https://a.example:8443/caf%C3%A9"),
        ("a:b", "refused"),
        ("./a:b", "https://a.example:8443/b/a:b"),
        ("1a:b", "https://a.example:8443/b/1a:b"),
        ("/a:b", "https://a.example:8443/a:b"),
        ("?a:b", "https://a.example:8443/b/c?a:b"),
        ("?", "https://a.example:8443/b/c?"),
        (" /x\t/y ", "https://a.example:8443/x/y"),
        ("/x?y=http://z/", "https://a.example:8443/x?y=http://z/"),
    ];
    for (location, want) in table {
        match parse(base).join(location.as_bytes()) {
            Ok(url) => assert_eq!(url.request_uri(), want, "{location}"),
            Err(_) => assert_eq!(want, "refused", "{location}"),
        }
    }
    assert_eq!(parse(base).join(b"/\xe9\xff").unwrap().request_uri(), "https://a.example:8443/%E9%FF");
    assert_eq!(joined("http://a", "b"), "http://a/b");
    assert_eq!(joined("http://a?q", "?r"), "http://a/?r");
}

#[test]
fn join_says_what_is_wrong() {
    let table = [
        ("", "empty"),
        (" \t", "empty"),
        ("ftp://a/", "other than http"),
        ("javascript:alert(1)", "other than http"),
        ("http://", "no host"),
        ("//", "no host"),
        ("//b:99999/", "0 to 65535"),
        ("//b\u{fc}cher/", "punycode"),
        ("https:/x", "two slashes"),
    ];
    for (location, why) in table {
        let got = parse("http://a/").join(location.as_bytes()).unwrap_err();
        assert!(got.contains(why), "{location}: {got}");
    }
}

#[test]
fn userinfo_of_a_location_is_dropped() {
    let url = parse("http://user:pass@a/").join(b"http://mallory:x@a/b").unwrap();
    assert_eq!((url.request_uri(), url.basic()), ("http://a/b", None));
    assert_eq!(parse("http://user:pass@a/").join(b"/b").unwrap().basic(), None);
}

/// Whatever is accepted must be a URI for ureq, with the same host, port, path and query, and parse to itself again.
fn check(url: &Url) {
    let uri: ureq::http::Uri = url.request_uri().parse().unwrap_or_else(|why| panic!("{url:?}: {why}"));
    assert_eq!(uri.scheme_str(), Some(if url.is_https() { "https" } else { "http" }));
    let host = uri.host().unwrap();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    assert_eq!(host.replace("%25", "%"), url.host());
    assert_eq!(uri.port_u16().unwrap_or(default_port(url.is_https())), url.port());
    assert_eq!(uri.path_and_query().unwrap().as_str().as_bytes(), url.path_and_query());
    assert_eq!(parse(url.request_uri()).request_uri(), url.request_uri());
    ureq::http::HeaderValue::from_str(&url.host_header()).unwrap();
}

proptest! {
    #[test]
    fn what_is_accepted_is_a_uri_for_ureq(text in "(?s)(https?://[a-z0-9@:\\[\\]%._-]{0,12})?[/?#]?.{0,20}") {
        if let Ok(url) = Url::parse(&text) {
            check(&url);
        }
    }

    #[test]
    fn anything_after_a_host_is_accepted(rest in "(?s).{0,30}", host in "a|127\\.1|\\[::1%25e\\]") {
        check(&parse(&format!("http://{host}/{rest}")));
        check(&parse(&format!("https://{host}:8080?{rest}")));
    }

    #[test]
    fn what_a_location_leads_to_is_a_uri_for_ureq(
        location in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"/?#:.%@[]\\ah"[..])], 0..20),
        prefix in prop::sample::select(&["", "/", "//", "//h", "http://", "https://h", "?", ".", ".."][..]),
    ) {
        let base = parse("http://u:p@h:81/a/b/?c");
        if let Ok(url) = base.join(&[prefix.as_bytes(), &location].concat()) {
            check(&url);
            assert_eq!(url.basic(), None);
        }
    }

    #[test]
    fn dot_segments_as_the_rfc_removes_them(path in "(/(\\.|\\.\\.|a|)){0,8}") {
        prop_assert_eq!(remove_dot_segments(&path), rfc_5_2_4(&path));
    }
}

/// RFC 3986 section 5.2.4 word for word.
fn rfc_5_2_4(path: &str) -> String {
    let mut input = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
    let mut output = String::new();
    while !input.is_empty() {
        if input.starts_with("/./") {
            input.drain(..2);
        } else if input == "/." {
            input = "/".to_owned();
        } else if input.starts_with("/../") || input == "/.." {
            input = if input == "/.." { "/".to_owned() } else { input[3..].to_owned() };
            output.truncate(output.rfind('/').unwrap_or(0));
        } else {
            let end = input[1..].find('/').map_or(input.len(), |at| at + 1);
            output.push_str(&input[..end]);
            input.drain(..end);
        }
    }
    output
}
