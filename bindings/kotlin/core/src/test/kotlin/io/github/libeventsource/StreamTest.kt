package io.github.libeventsource

import io.github.libeventsource.TestServer.Companion.body
import io.github.libeventsource.TestServer.Companion.bytewise
import io.github.libeventsource.TestServer.Companion.repeated
import io.github.libeventsource.TestServer.Companion.sse
import io.github.libeventsource.TestServer.Companion.status
import io.github.libeventsource.TestServer.Companion.stream
import io.github.libeventsource.TestServer.Companion.waitFor
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger

/** What a stream yields, with which texts, in which order and in which portions. */
class StreamTest {
    private val server = TestServer.start()
    private val recorder = Recorder()

    @AfterEach
    fun stop() = server.close()

    private fun open(config: Config = Config()): EventSource = EventSource(server.url("/events"), config).also { it.start(recorder) }

    @Test
    fun `a stream from its first attempt to its close`() { // rows 26, 27, 36, 42
        server.on(
            "/events",
            listOf(
                sse("X-One" to "1", "X-One" to "2"),
                body(":hello\n\nid: 7\nevent: greeting\ndata: a\ndata: b\n\n"),
                waitFor("cut"),
                "reset",
            ),
            status(204),
        )
        val source = EventSource(server.url("/events"), Config().retry(1, 1))
        assertEquals(State.CONNECTING, source.state)
        source.start(recorder)

        val connect = recorder.next() as Event.Connect
        assertEquals(server.url("/events"), connect.url)
        assertEquals("", connect.lastEventId)
        val opened = recorder.next() as Event.Open
        assertEquals(server.url("/events"), opened.url)
        assertEquals("1", opened.header("x-one"))
        assertEquals(listOf("1", "2"), opened.headers.filter { it.key.equals("x-one", true) }.map { it.value })
        assertEquals("text/event-stream", opened.header("Content-Type"))
        assertNull(opened.header("X-Two"))
        val comment = recorder.next() as Event.Comment
        assertEquals("hello", comment.text)
        assertEquals("", comment.lastEventId)
        val message = recorder.next() as Event.Message
        assertEquals("greeting", message.type)
        assertEquals("a\nb", message.data)
        assertEquals("7", message.lastEventId)
        assertEquals(server.url("/events"), message.url)
        assertEquals(State.OPEN, source.state)

        server.go("cut")
        val error = recorder.next() as Event.Error
        assertEquals(ErrorKind.IO, error.kind)
        assertEquals(State.CONNECTING, error.state)
        assertEquals(200, error.httpStatus)
        assertTrue(error.message.isNotEmpty())
        assertTrue(error.retryMs in 1..2, "${error.retryMs}")
        assertEquals("7", (recorder.next() as Event.Connect).lastEventId)
        val close = recorder.next() as Event.Close
        assertEquals(ErrorKind.ENDED, close.kind)
        assertEquals(204, close.httpStatus)
        assertEquals("7", server.requests()[1].header("last-event-id"))
        eventually("closed") { source.state == State.CLOSED }
        // It has ended by itself: nothing to do any more, but no mistake of the caller's.
        assertFalse(source.pause())
        assertFalse(source.resume())
        assertFalse(source.reconnect())
        assertFalse(source.retry(0))
        assertFalse(source.fail("no"))
        assertFalse(source.setHeader("A", "b"))
        assertFalse(source.setUrl(server.url("/")))
        source.close()
    }

    @Test
    fun `a refused attempt shows status, headers and body`() {
        server.on("/events", status(404, "X-Why" to "gone", text = "no such ströam"))
        val source = open()
        val error = recorder.await<Event.Error>()
        assertEquals(ErrorKind.HTTP_STATUS, error.kind)
        assertEquals(404, error.httpStatus)
        assertEquals(-1, error.retryMs)
        assertEquals(State.CLOSED, error.state)
        assertEquals("gone", error.header("x-why"))
        assertEquals("no such ströam".take(error.body.length), error.body)
        assertTrue(error.body.startsWith("no such str"))
        val close = recorder.next() as Event.Close
        assertEquals(ErrorKind.HTTP_STATUS, close.kind)
        assertEquals(404, close.httpStatus)
        source.close()
    }

    @Test
    fun `text arrives as it was sent`() {
        val texts = listOf("grüße 😀 \uD83D\uDC68\u200D\uD83D\uDC69\u200D\uD83D\uDC67", "a\u0000b\u0000", "\u0001\u007F", "𝄞", "")
        val stream = texts.joinToString("") { "event: t😀\u0000\nid: ü\uD83D\uDE00\ndata: $it\n\n" }
        server.on("/events", listOf("sse", bytewise(stream.toByteArray()), "stall"))
        open().use {
            for (text in texts) {
                val message = recorder.await<Event.Message>()
                assertEquals(text, message.data)
                assertEquals("t😀\u0000", message.type)
                assertEquals("ü😀", message.lastEventId)
            }
        }
    }

    @Test
    fun `what is no UTF-8 arrives as replacement characters`() { // row 54
        val bytes = "data: ".toByteArray() + byteArrayOf(0xED.toByte(), 0xA0.toByte(), 0x80.toByte()) + "\n\n".toByteArray()
        server.on("/events", listOf("sse", body(bytes), "stall"))
        open().use { assertEquals("\uFFFD\uFFFD\uFFFD", recorder.await<Event.Message>().data) }
    }

    @Test
    fun `a single event is delivered while the server holds the connection`() { // row 82
        server.on("/events", listOf("sse", body("data: 1\n\n"), waitFor("more"), body("data: 2\n\n"), "stall"))
        open().use {
            assertEquals("1", recorder.await<Event.Message>().data)
            server.go("more")
            assertEquals("2", recorder.await<Event.Message>().data)
        }
    }

    @Test
    fun `a burst arrives whole, in order, and in few batches`() {
        val count = 20_000
        val burst = (0 until count).joinToString("") { "id: $it\nevent: ${if (it % 3 == 0) "x" else "y"}\ndata: number $it\n\n" }
        server.on("/events", stream(burst))
        val batches = AtomicInteger()
        val next = AtomicInteger()
        val wrong = AtomicInteger()
        val done = CountDownLatch(1)
        val kept = arrayOfNulls<Event.Message>(count)
        EventSource(server.url("/events")).use { source ->
            source.start { _, events ->
                batches.incrementAndGet()
                for (event in events) {
                    if (event !is Event.Message) continue
                    val n = next.getAndIncrement()
                    kept[n] = event
                    if (event.data != "number $n" || event.lastEventId != "$n") wrong.incrementAndGet()
                    if (n == count - 1) done.countDown()
                }
            }
            assertTrue(done.await(DEADLINE_MS, TimeUnit.MILLISECONDS), "only ${next.get()}")
        }
        assertEquals(0, wrong.get())
        assertTrue(batches.get() < count / 20, "${batches.get()} batches")
        // Events stay what they are after their batch is long gone.
        for ((n, message) in kept.withIndex()) {
            assertEquals("number $n", message!!.data)
            assertEquals(if (n % 3 == 0) "x" else "y", message.type)
            assertEquals("$n", message.lastEventId)
        }
    }

    @Test
    fun `an event larger than any buffer`() {
        val size = 14 shl 20
        server.on(
            "/events",
            listOf(
                "sse",
                body("data: before\n\ndata: "),
                repeated("0123456789abcdef", size / 16),
                body("\n\nid: ä\ndata: after\n\n"),
                "stall",
            ),
        )
        open().use {
            assertEquals("before", recorder.await<Event.Message>().data)
            val large = recorder.await<Event.Message>()
            assertEquals("0123456789abcdef".repeat(size / 16), large.data)
            assertEquals("message", large.type)
            val after = recorder.await<Event.Message>()
            assertEquals("after", after.data)
            assertEquals("ä", after.lastEventId)
        }
    }

    @Test
    fun `events that are kept stay what they are, whether or not their data was asked for`() {
        val count = 60_000
        val burst = (0 until count).joinToString("") { "id: $it\nevent: ${it % 7}\n:é $it\ndata: nümber $it\n\n" }
        server.on("/events", stream(burst))
        val messages = ArrayList<Event.Message>()
        val comments = ArrayList<Event.Comment>()
        val done = CountDownLatch(1)
        var wrong = 0
        val listener =
            object : EventSource.Listener {
                override fun onComment(
                    source: EventSource,
                    event: Event.Comment,
                ) {
                    comments.add(event)
                }

                override fun onMessage(
                    source: EventSource,
                    event: Event.Message,
                ) {
                    val n = messages.size
                    messages.add(event)
                    // For some batches in a row all, some and none, so that what is decoded at once and what later alternate.
                    val reads = if (n / 5_000 % 3 == 0) true else n / 5_000 % 3 == 1 && n % 100 == 0
                    if (reads && event.data != "nümber $n") wrong++
                    if (n == count - 1) done.countDown()
                }
            }
        EventSource(server.url("/events")).use { source ->
            source.start(listener)
            assertTrue(done.await(DEADLINE_MS, TimeUnit.MILLISECONDS), "only ${messages.size}")
        }
        assertEquals(0, wrong)
        for ((n, message) in messages.withIndex()) {
            assertEquals("nümber $n", message.data)
            assertEquals("${n % 7}", message.type)
            assertEquals("$n", message.lastEventId)
            assertEquals("é $n", comments[n].text)
            assertEquals(server.url("/events"), message.url)
        }
    }

    /** Where all events of a batch have one type and one ID, these are kept once. */
    @Test
    fun `in a burst of equals, and of nearly equals, each keeps what is its own`() {
        val count = 30_000
        // The type and the ID of a message; null: a comment.
        val shapes =
            listOf<(Int) -> Pair<String, String>?>(
                { "message" to "" },
                { "x" to "one" },
                { (if (it % 150 == 149) "y" else "x") to "one" },
                { "x" to "${it / 90}" },
                { if (it % 200 == 199) null else "x" to "one" },
                { if (it / 1_000 % 2 == 0) null else "message" to "" },
            )
        for ((shape, of) in shapes.withIndex()) {
            val burst =
                (0 until count).joinToString("") {
                    of(it)?.let { (type, id) -> "event: $type\nid: $id\ndata: number $it\n\n" } ?: ":number $it\n\n"
                }
            server.on("/shape/$shape", stream(burst))
            val kept = ArrayList<Event>()
            val wrong = AtomicInteger()
            val done = CountDownLatch(1)

            fun keep(
                event: Event,
                text: String,
            ) {
                if (text != "number ${kept.size}") wrong.incrementAndGet()
                kept.add(event)
                if (kept.size == count) done.countDown()
            }
            val listener =
                object : EventSource.Listener {
                    override fun onMessage(
                        source: EventSource,
                        event: Event.Message,
                    ) = keep(event, event.data)

                    override fun onComment(
                        source: EventSource,
                        event: Event.Comment,
                    ) = keep(event, event.text)
                }
            EventSource(server.url("/shape/$shape")).use { source ->
                source.start(listener)
                assertTrue(done.await(DEADLINE_MS, TimeUnit.MILLISECONDS), "shape $shape: only ${kept.size}")
            }
            assertEquals(0, wrong.get(), "shape $shape")
            for ((n, event) in kept.withIndex()) {
                val expected = of(n)
                if (event is Event.Message) {
                    assertEquals(expected to "number $n", (event.type to event.lastEventId) to event.data)
                } else {
                    assertEquals(null to "number $n", expected to (event as Event.Comment).text)
                }
                assertEquals(server.url("/shape/$shape"), event.url)
            }
        }
    }

    @Test
    fun `events of every size around the batch's end`() {
        // One write, so that they meet in one batch; sizes that fill 16 KiB exactly are among them.
        val sizes = (15_900..16_600 step 4).toList() + (7_900..8_200 step 3) + listOf(0, 1, 100_000, 5)
        val burst = sizes.joinToString("") { "data: ${"x".repeat(it)}\n\n" }
        server.on("/events", stream(burst))
        open().use { for (size in sizes) assertEquals("x".repeat(size), recorder.await<Event.Message>().data) }
    }

    @Test
    fun `an event over the limit is an error that the stream survives`() {
        server.on("/events", listOf("sse", body("data: "), repeated("x", 5_000), body("\n\ndata: small\n\n"), "stall"))
        open(Config().maxEventSize(4_096)).use {
            val error = recorder.await<Event.Error>()
            assertEquals(ErrorKind.EVENT_TOO_LARGE, error.kind)
            assertEquals(State.OPEN, error.state)
            assertEquals(-1, error.retryMs)
            assertEquals("small", recorder.await<Event.Message>().data)
        }
    }

    @Test
    fun `ids and types that differ within one batch stay apart`() {
        server.on(
            "/events",
            stream("id: a\ndata: 1\n\ndata: 2\n\nid: b\ndata: 3\n\nid\nevent: aa\ndata: 4\n\nevent: bb\ndata: 5\n\nid: b\ndata: 6\n\n"),
        )
        open().use {
            val got = List(6) { recorder.await<Event.Message>() }
            assertEquals(listOf("a", "a", "b", "", "", "b"), got.map { it.lastEventId })
            assertEquals(listOf("message", "message", "message", "aa", "bb", "message"), got.map { it.type })
        }
    }
}
