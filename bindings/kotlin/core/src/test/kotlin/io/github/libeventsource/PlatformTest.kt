package io.github.libeventsource

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test
import java.net.InetSocketAddress
import java.net.Proxy

/** What is done here and not in Rust, because the platform does it. */
class PlatformTest {
    @Test
    fun `international hosts become ASCII, and nothing else of the URL changes`() {
        val same =
            listOf(
                "http://localhost/ä?ö#ü",
                "http://user:pä@localhost:80/",
                "http://[::1]:8080/ä",
                "no url ä",
                "http://",
                "http:///ä",
                "http://a@/ä",
                "",
            )
        for (url in same) assertEquals(url, Platform.asciiHost(url))
        assertEquals("https://xn--bcher-kva.example/ä?x=ö", Platform.asciiHost("https://bücher.example/ä?x=ö"))
        assertEquals("https://ä:ö@xn--bcher-kva.example:8443", Platform.asciiHost("https://ä:ö@bücher.example:8443"))
        assertEquals("http://xn--fsq.xn--0zwm56d?a@b:c", Platform.asciiHost("http://例.测试?a@b:c"))
        assertThrows(IllegalArgumentException::class.java) { Platform.asciiHost("http://ä${"b".repeat(70)}/") }
    }

    @Test
    fun `what the library takes away from a URL is not looked at here either`() {
        assertEquals("http://xn--tda.test/a b", Platform.asciiHost(" \u0000\tht\ntp://\rü.test/a b\n "))
        assertEquals("http://user@[::1]:80/", Platform.asciiHost("\nhttp://user@[::1]:80/ "))
        assertEquals("", Platform.asciiHost(" \n"))
    }

    @Test
    fun `selectors are asked about the host as it is`() {
        val asked =
            withProxySelector(Proxy(Proxy.Type.SOCKS, InetSocketAddress.createUnresolved("proxy.test", 1))) {
                for (url in listOf(" https://u:p@[fe80::1]:8443/a?b ", "http://ü.test\n", "http://a_b.test:1/")) {
                    assertEquals("socks5://proxy.test:1", Platform.systemProxy(url), url)
                }
            }
        assertEquals(
            listOf("https://[fe80::1]/ [fe80::1]", "http://xn--tda.test/ xn--tda.test", "http://a_b.test/ null"),
            asked.map { "$it ${it.host}" },
        )
    }

    @Test
    fun `an international host cannot become another one`() {
        // Each has letters that IDN turns into what ends a host: a/c, a full-width slash, ?, @, #, %, a space.
        for (host in listOf(
            "evil\u2100c.test",
            "evil.test\uFF0F.ok.test",
            "evil\uFF1Fä.test",
            "ok\uFF20evil.test",
            "ä\uFF03",
            "ä\uFF0541",
            "ä\u3000b",
        )) {
            assertThrows(IllegalArgumentException::class.java, { EventSource("https://$host/") }, host)
            assertThrows(IllegalArgumentException::class.java, { Config().proxy("http://$host/") }, host)
            EventSource("http://localhost/").use { source ->
                assertThrows(IllegalArgumentException::class.java, { source.setUrl("https://$host/") }, host)
            }
        }
        assertEquals("http://a.b-c_1.xn--tda/", Platform.asciiHost("http://a．B-c_1.ü/".replace("B", "b")))
    }

    @Test
    fun `an international host goes out as punycode`() {
        // Not to be resolved, which may take its time: the last URL tried is what shows it.
        val recorder = Recorder()
        EventSource("http://bücher.invalid:1/ä", Config().maxRetries(0).connectTimeout(0)).use {
            it.start(recorder)
            assertEquals("http://xn--bcher-kva.invalid:1/%C3%A4", recorder.next().url)
            assertEquals(ErrorKind.DNS, recorder.await<Event.Error>().kind)
        }
    }

    @Test
    fun `cleartext is nobody's business outside Android`() {
        assertNull(Platform.refusesCleartext("http://example.test/"))
    }
}
