package io.github.libeventsource

import io.github.libeventsource.TestServer.Companion.body
import io.github.libeventsource.TestServer.Companion.redirect
import io.github.libeventsource.TestServer.Companion.sse
import io.github.libeventsource.TestServer.Companion.status
import io.github.libeventsource.TestServer.Companion.stream
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.Proxy
import java.net.ServerSocket
import java.util.zip.GZIPOutputStream
import kotlin.concurrent.thread

/** Every option does what it says: seen on the wire, or by what it refuses. */
class ConfigTest {
    private val server = TestServer.start()

    @AfterEach
    fun stop() = server.close()

    /** Reads [config]'s stream to its end. */
    private fun run(
        config: Config,
        url: String = server.url("/events"),
    ): List<Event> {
        val recorder = Recorder()
        return EventSource(url, config.retry(1, 1)).use {
            it.start(recorder)
            recorder.untilClose()
        }
    }

    private fun refused(make: () -> Unit): String = assertThrows(IllegalArgumentException::class.java) { make() }.message!!

    @Test
    fun `without options the request is the standard's`() { // rows 5 to 8
        server.on("/events", status(204))
        run(Config())
        val request = server.requests()[0]
        assertEquals("GET", request.method)
        assertEquals(listOf("text/event-stream"), request.all("Accept"))
        assertEquals(listOf("no-cache"), request.all("Cache-Control"))
        assertEquals(listOf("no-cache"), request.all("Pragma"))
        assertNull(request.header("Last-Event-ID"))
    }

    @Test
    fun `method, body, headers and last event id`() {
        server.on("/events", status(204))
        run(
            Config()
                .method("REPORT")
                .body("{\"q\": \"grün 😀\"}")
                .header("X-A", "1")
                .header("x-a", "zwei 😀")
                .header("Accept", "text/event-stream, x/y")
                .lastEventId("ä1"),
        )
        val request = server.requests()[0]
        assertEquals("REPORT", request.method)
        assertEquals("{\"q\": \"grün 😀\"}", request.body)
        assertEquals(listOf("zwei 😀"), request.all("X-A"))
        assertEquals("text/event-stream, x/y", request.header("Accept"))
        assertEquals("ä1", request.header("Last-Event-ID"))
    }

    @Test
    fun `a body makes it POST`() {
        server.on("/events", status(204))
        run(Config().body(byteArrayOf(1, 0, 2)))
        assertEquals("POST", server.requests()[0].method)
        assertEquals("\u0001\u0000\u0002", server.requests()[0].body)
    }

    @Test
    fun `secret headers stay in their origin`() { // row 21
        TestServer.start().use { other ->
            other.on("/events", status(204))
            server.on("/events", listOf(redirect(307, other.url("/events"))))
            run(Config().secretHeader("X-Secret", "s").header("X-Open", "o").header("Authorization", "Bearer t"))
            assertEquals("s", server.requests()[0].header("X-Secret"))
            assertEquals("Bearer t", server.requests()[0].header("Authorization"))
            assertNull(other.requests()[0].header("X-Secret"))
            assertNull(other.requests()[0].header("Authorization"))
            assertEquals("o", other.requests()[0].header("X-Open"))
        }
    }

    @Test
    fun `idle timeout`() {
        server.on("/events", listOf("sse", body(":a\n"), "stall"))
        val error = run(Config().idleTimeout(50).maxRetries(0)).filterIsInstance<Event.Error>().single()
        assertEquals(ErrorKind.TIMED_OUT, error.kind)
    }

    @Test
    fun `response timeout`() {
        server.on("/events", listOf("stall"))
        val error = run(Config().responseTimeout(50).maxRetries(0)).filterIsInstance<Event.Error>().single()
        assertEquals(ErrorKind.TIMED_OUT, error.kind)
        assertEquals(
            0,
            run(
                Config()
                    .maxRetries(0)
                    .header("X", "y")
                    .responseTimeout(0)
                    .idleTimeout(1),
                server.url("/none"),
            ).count {
                it is Event.Open
            },
        )
    }

    @Test
    fun `connect timeout`() {
        // A TLS handshake that nobody answers, since the other side speaks no TLS and waits for a request.
        server.onEveryConnection("stall")
        val url = server.url("/events").replace("http:", "https:")
        val error = run(Config().connectTimeout(50).maxRetries(0), url).filterIsInstance<Event.Error>().single()
        assertEquals(ErrorKind.TIMED_OUT, error.kind)
    }

    @Test
    fun `retry and max retries`() {
        server.on("/events", listOf("reset"))
        val recorder = Recorder()
        EventSource(server.url("/events"), Config().retry(3, 40).maxRetries(6)).use {
            it.start(recorder)
            val errors = recorder.untilClose().filterIsInstance<Event.Error>()
            assertEquals(7, errors.size)
            assertTrue(errors[0].retryMs in 3..4, errors[0].retryMs.toString())
            assertTrue(errors.drop(1).dropLast(1).all { error -> error.retryMs in 40..48 }, errors.map { e -> e.retryMs }.toString())
            assertEquals(-1, errors.last().retryMs)
        }
    }

    @Test
    fun `reconnect modes`() {
        server.on("/events", listOf(mapOf("sse" to mapOf("framing" to "chunked")), body("data: a\n\n"), "end"), status(204))
        assertEquals(1, run(Config().reconnect(ReconnectMode.NEVER)).count { it is Event.Connect })
        server.on("/events", listOf(mapOf("sse" to mapOf("framing" to "chunked")), body("data: a\n\n"), "end"), status(204))
        assertEquals(1, run(Config().body("x")).count { it is Event.Connect })
        server.on("/events", listOf(mapOf("sse" to mapOf("framing" to "chunked")), body("data: a\n\n"), "end"), status(204))
        assertEquals(2, run(Config().body("x").reconnect(ReconnectMode.ALWAYS)).count { it is Event.Connect })
        server.on("/events", listOf(mapOf("sse" to mapOf("framing" to "chunked")), body("data: a\n\n"), "end"), status(204))
        assertEquals(2, run(Config()).count { it is Event.Connect })
    }

    @Test
    fun `what may be sent again without asking`() {
        assertTrue(Config().isRepeatable)
        assertTrue(Config().method("GET").body("x").isRepeatable)
        assertTrue(Config().body("x").reconnect(ReconnectMode.ALWAYS).isRepeatable)
        assertFalse(Config().body("x").isRepeatable)
        assertFalse(Config().method("REPORT").isRepeatable)
        assertFalse(Config().reconnect(ReconnectMode.NEVER).isRepeatable)
    }

    @Test
    fun `standard status`() { // rows 11, 12
        server.on("/events", status(503))
        val error = run(Config().standardStatus(true)).filterIsInstance<Event.Error>().single()
        assertEquals(503, error.httpStatus)
        assertEquals(-1, error.retryMs)
    }

    @Test
    fun `compression`() { // row 24
        val zipped = ByteArrayOutputStream().also { to -> GZIPOutputStream(to).use { it.write("data: zipped\n\n".toByteArray()) } }
        server.on("/events", listOf(sse("Content-Encoding" to "gzip"), body(zipped.toByteArray()), "end"))
        val events = run(Config().compression(true).reconnect(ReconnectMode.NEVER))
        assertEquals("zipped", events.filterIsInstance<Event.Message>().single().data)
        assertTrue("gzip" in server.requests()[0].header("Accept-Encoding")!!)
    }

    @Test
    fun `https only`() {
        val config = Config().httpsOnly(true)
        assertThrows(IllegalArgumentException::class.java) { EventSource(server.url("/events"), config) }
        EventSource(server.url("/events"), Config().httpsOnly(false)).close()
        TestServer.start(emptyMap()).use { tls ->
            tls.on("/events", listOf(redirect(307, server.url("/events"))))
            val recorder = Recorder()
            EventSource(tls.urlByName("/events"), config.onlyCaPem(tls.caPem).maxRetries(0)).use {
                assertThrows(IllegalArgumentException::class.java) { it.setUrl(server.url("/events")) }
                it.start(recorder)
                assertEquals(ErrorKind.REDIRECT, recorder.await<Event.Error>().kind)
            }
        }
        assertTrue(server.requests().isEmpty())
    }

    @Test
    fun `certificates, pins and identities`() {
        TestServer.start(mapOf("client_ca" to true)).use { tls ->
            tls.on("/events", status(204))
            val url = tls.urlByName("/events")
            val identity = tls.clientIdentity("somebody")

            fun outcome(config: Config): ErrorKind = (run(config.maxRetries(0), url).last() as Event.Close).kind
            assertEquals(ErrorKind.ENDED, outcome(Config().addCaPem(tls.caPem).identityPem(identity)))
            assertEquals(ErrorKind.ENDED, outcome(Config().onlyCaPem(tls.caPem).identityPem(identity).addPin(tls.leafPin)))
            assertEquals(ErrorKind.TLS, outcome(Config().identityPem(identity)))
            val otherPin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
            assertEquals(ErrorKind.TLS, outcome(Config().addCaPem(tls.caPem).identityPem(identity).addPin(otherPin)))
            assertEquals(2, tls.requests().size)
            assertTrue(outcome(Config().addCaPem(tls.caPem)) in setOf(ErrorKind.TLS, ErrorKind.IO), "no identity")
        }
    }

    /** A proxy that notes the request line of every CONNECT and refuses. */
    private fun withProxy(test: (port: Int, seen: List<String>) -> Unit) {
        val seen = java.util.Collections.synchronizedList(ArrayList<String>())
        ServerSocket(0, 5, InetAddress.getLoopbackAddress()).use { socket ->
            thread(isDaemon = true) {
                try {
                    while (true) {
                        socket.accept().use { peer ->
                            val lines = peer.getInputStream().bufferedReader()
                            seen.add(lines.readLine())
                            while (lines.readLine().isNotEmpty()) Unit
                            peer.getOutputStream().write("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n".toByteArray())
                        }
                    }
                } catch (_: IOException) {
                    // closed: the test is over
                }
            }
            test(socket.localPort, seen)
        }
    }

    @Test
    fun `a proxy`() =
        withProxy { port, seen ->
            val error = run(Config().proxy("http://127.0.0.1:$port")).filterIsInstance<Event.Error>().single()
            assertEquals(ErrorKind.PROXY, error.kind)
            assertEquals(407, error.httpStatus)
            assertEquals("CONNECT 127.0.0.1:${server.port} HTTP/1.1", seen.single())
            server.on("/events", status(204))
            assertTrue(run(Config().proxy("http://127.0.0.1:$port").proxy(null)).none { it is Event.Error })
        }

    @Test
    fun `the system's proxy`() =
        withProxy { port, seen ->
            val asked =
                withProxySelector(Proxy(Proxy.Type.HTTP, InetSocketAddress.createUnresolved("127.0.0.1", port))) {
                    val error = run(Config().systemProxy(), server.url("/events?a b=ä")).filterIsInstance<Event.Error>().single()
                    assertEquals(ErrorKind.PROXY, error.kind)
                    assertEquals(1, seen.size)
                    server.on("/events", status(204))
                    assertTrue(run(Config()).none { it is Event.Error }, "only on request")
                }
            assertEquals("127.0.0.1", asked.single().host)
        }

    @Test
    fun `the environment's proxy is taken without complaint`() {
        server.on("/events", status(204)) // 127.0.0.1 with no variable set; what the variables mean is tested in Rust
        run(Config().proxyFromEnv())
        assertEquals(1, server.requests().size)
    }

    @Test
    fun `the smallest stack is enough for TLS and a large event`() {
        TestServer.start(emptyMap()).use { tls ->
            tls.on("/events", listOf("sse", body("data: "), TestServer.repeated("x", 1 shl 20), body("\n\n"), "stall"))
            val recorder = Recorder()
            EventSource(tls.urlByName("/events"), Config().stackSize(128L shl 10).onlyCaPem(tls.caPem)).use {
                it.start(recorder)
                assertEquals(1 shl 20, recorder.await<Event.Message>().data.length)
            }
        }
    }

    @Test
    fun `keep-alive is what the kernel is told`() {
        server.on("/events", stream("data: a\n\n"))
        for ((config, expected) in listOf(Config() to 120, Config().keepAlive(77_001) to 78, Config().keepAlive(0) to null)) {
            val recorder = Recorder()
            EventSource(server.url("/events"), config).use {
                it.start(recorder)
                recorder.await<Event.Message>()
                // The timer that the kernel shows for the connection, in hundredths of a second.
                val port = "%04X".format(server.port)
                val rows =
                    java.io
                        .File("/proc/self/net/tcp")
                        .readLines()
                        .map { row -> row.trim().split(Regex("\\s+")) }
                val ours = rows.single { row -> row[2] == "0100007F:$port" && row[3] == "01" }
                val (timer, ticks) = ours[5].split(":")
                if (expected == null) assertEquals("00", timer) else assertEquals("02", timer)
                if (expected != null) assertTrue(ticks.toLong(16) in (expected - 60) * 100L..expected * 100L, "$ticks")
            }
            server.waitForOpen(0)
        }
    }

    @Test
    fun `what will not do is refused by the call that says it`() {
        refused { EventSource("no url") }
        refused { EventSource("ftp://localhost/") }
        refused { EventSource("http://localhost:70000/") }
        refused { EventSource("") }
        refused { Config().header("bad name", "x") }
        refused { Config().header("Host", "x") }
        refused { Config().header("X", "a\r\nb") }
        refused { Config().secretHeader("", "x") }
        refused { Config().method("TRACE") }
        refused { Config().method("a b") }
        refused { Config().maxEventSize(0) }
        refused { Config().maxEventSize(-1) }
        refused { Config().idleTimeout(-1) }
        refused { Config().retry(-1, 1) }
        refused { Config().retry(1, -1) }
        refused { Config().maxRetries(-1) }
        refused { Config().proxy("ftp://x") }
        refused { Config().addCaPem("no pem".toByteArray()) }
        refused { Config().onlyCaPem(ByteArray(0)) }
        refused { Config().identityPem("no pem".toByteArray()) }
        refused { Config().addPin("short") }
        refused { Config().stackSize(1) }
        refused { Config().stackSize(Long.MAX_VALUE) }
    }

    @Test
    fun `a refusal says in the library's words what is wrong`() {
        fun assertSays(
            words: String,
            make: () -> Unit,
        ) = refused(make).let { assertTrue(words in it, it) }
        assertSays("a header name may hold") { Config().header("bad name", "x") }
        assertSays("from 128 KiB to 256 MiB") { Config().stackSize(1) }
        val onlyHttps = Config().httpsOnly(true)
        assertSays("https://") { EventSource("http://localhost/", onlyHttps) }
        assertSays("certificate") { Config().addCaPem("no pem".toByteArray()) }
        assertSays("pin") { Config().addPin("short") }
        assertSays("http") { EventSource("ftp://localhost/") }
        assertSays("method") { Config().method("TRACE") }
        assertSays("negative") { Config().idleTimeout(-1) }
        EventSource("http://localhost/").use { source ->
            assertSays("header") { source.setHeader("bad name", "x") }
            assertSays("URL") { source.setUrl("ftp://localhost/") }
        }
    }

    @Test
    fun `text that C or UTF-8 cannot carry is refused, not cut off`() {
        for (text in listOf("a\u0000b", "\uD83D", "\uDE00\uD83D", "a\uD83D\u0000")) {
            refused { Config().header("X", text) }
            refused { Config().header(text, "x") }
            refused { Config().secretHeader("X", text) }
            refused { Config().lastEventId(text) }
            refused { Config().method(text) }
            refused { Config().proxy("http://$text/") }
            if (text != "a\u0000b") refused { Config().body(text) } // bytes may be 0
            refused { EventSource("http://localhost/$text") }
            EventSource("http://localhost/").use { source ->
                refused { source.setHeader("X", text) }
                refused { source.setUrl("http://localhost/$text") }
            }
        }
    }

    @Test
    fun `a config is immutable and makes many sources`() {
        server.on("/events", status(204))
        val base = Config().header("X-A", "base")
        val bytes = "body".toByteArray()
        val other = base.header("X-A", "other").body(bytes)
        bytes[0] = 'B'.code.toByte()
        run(base)
        run(other)
        run(base)
        assertEquals(listOf("base", "other", "base"), server.requests().map { it.header("X-A") })
        assertEquals(listOf("", "body", ""), server.requests().map { it.body })
    }

    @Test
    fun `version and log`() {
        assertTrue(EventSource.version.matches(Regex("\\d+\\.\\d+\\.\\d+.*")), EventSource.version)
        EventSource.setLogLevel(1)
        EventSource.setLogLevel(0)
        assertThrows(IllegalArgumentException::class.java) { EventSource.setLogLevel(99) }
        assertNotNull(EventSource.version)
    }
}
