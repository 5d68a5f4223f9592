package io.github.libeventsource

import io.github.libeventsource.TestServer.Companion.body
import io.github.libeventsource.TestServer.Companion.status
import io.github.libeventsource.TestServer.Companion.stream
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.CountDownLatch
import java.util.concurrent.CyclicBarrier
import java.util.concurrent.Executor
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import java.util.logging.Handler
import java.util.logging.LogRecord
import java.util.logging.Logger

/** pause, resume, reconnect, retry, fail, the setters and close: from everywhere, in every order. */
class ControlTest {
    private val server = TestServer.start()
    private val recorder = Recorder()

    @AfterEach
    fun stop() = server.close()

    private fun source(config: Config = Config()) = EventSource(server.url("/events"), config)

    @Test
    fun `pause keeps the place and resume goes on from it`() {
        server.on("/events", stream("id: 1\ndata: a\n\n"), stream("data: b\n\n"))
        source().use { source ->
            source.start(recorder)
            assertEquals("a", recorder.await<Event.Message>().data)
            assertTrue(source.pause())
            assertEquals(State.PAUSED, source.state)
            server.waitForOpen(0)
            assertTrue(source.resume())
            assertTrue(recorder.next() is Event.Connect) // and no Error before it
            assertEquals("b", recorder.await<Event.Message>().data)
            assertEquals("1", server.requests()[1].header("Last-Event-ID"))
        }
    }

    @Test
    fun `a source can start paused`() {
        server.on("/events", stream("data: a\n\n"))
        source().use { source ->
            assertTrue(source.pause())
            source.start(recorder)
            assertEquals(State.PAUSED, source.state)
            assertEquals(0, server.requests().size)
            source.resume()
            assertEquals("a", recorder.await<Event.Message>().data)
        }
    }

    @Test
    fun `reconnect connects anew`() {
        server.on("/events", stream("id: 9\ndata: a\n\n"), stream("data: b\n\n"))
        source().use { source ->
            source.start(recorder)
            recorder.await<Event.Message>()
            assertTrue(source.reconnect())
            assertTrue(recorder.next() is Event.Connect)
            assertEquals("b", recorder.await<Event.Message>().data)
            assertEquals("9", server.requests()[1].header("Last-Event-ID"))
        }
    }

    @Test
    fun `retry in onError revives a final error and sets the wait`() {
        server.on("/events", status(401), stream("data: in\n\n"))
        val answered = AtomicInteger()
        val recorder =
            Recorder { source, event ->
                if (event is Event.Error) {
                    assertEquals(State.CLOSED, source.state)
                    source.setHeader("X-Token", "new")
                    if (source.retry(0)) answered.incrementAndGet()
                }
            }
        source().use { source ->
            source.start(recorder)
            assertEquals("in", recorder.await<Event.Message>().data)
            assertEquals(1, answered.get())
            assertEquals("new", server.requests()[1].header("X-Token"))
            assertFalse(source.retry(0), "no error to answer")
            assertFalse(source.fail("why"), "no attempt to answer")
        }
    }

    @Test
    fun `headers and URL count from the next attempt on`() {
        server.on("/events", stream("data: a\n\n"))
        server.on("/other", stream("data: other\n\n"))
        source(Config().header("X-A", "1").secretHeader("X-S", "1")).use { source ->
            source.start(recorder)
            recorder.await<Event.Message>()
            source.setHeader("X-A", null)
            source.setHeader("X-B", "grün 😀")
            source.setSecretHeader("X-S", "2")
            source.setUrl(server.url("/other"))
            source.reconnect()
            assertEquals("other", recorder.await<Event.Message>().data)
            val request = server.waitForRequests(2)[1]
            assertEquals("/other", request.target)
            assertNull(request.header("X-A"))
            assertEquals("2", request.header("X-S"))
            assertEquals("grün 😀", request.header("X-B"))
        }
    }

    @Test
    fun `fail in onConnect makes the attempt an error of the application's`() {
        server.on("/events", stream("data: a\n\n"))
        val first = AtomicInteger()
        val recorder =
            Recorder { source, event ->
                if (event is Event.Connect && first.getAndIncrement() == 0) assertTrue(source.fail("no network for us 😀\u0000cut"))
            }
        source(Config().retry(1, 1)).use { source ->
            source.start(recorder)
            val error = recorder.await<Event.Error>()
            assertEquals(ErrorKind.APPLICATION, error.kind)
            assertTrue("no network for us 😀" in error.message, error.message)
            assertEquals("a", recorder.await<Event.Message>().data)
            assertEquals(1, server.requests().size)
        }
    }

    @Test
    fun `close ends with one Close and nothing else`() {
        server.on("/events", stream("data: a\n\n"))
        val source = source()
        source.start(recorder)
        recorder.await<Event.Message>()
        source.close()
        assertEquals(State.CLOSED, source.state)
        val close = recorder.next() as Event.Close
        assertEquals(ErrorKind.NONE, close.kind)
        server.waitForOpen(0)
        source.close()
        assertTrue(recorder.events.isEmpty())
    }

    @Test
    fun `after close everything but close and state throws`() {
        for (started in listOf(false, true)) {
            val source = source()
            if (started) source.start(recorder)
            source.close()
            source.close()
            assertEquals(State.CLOSED, source.state)
            val calls =
                listOf<(EventSource) -> Unit>(
                    { it.start(recorder) },
                    { it.start { _, _ -> } },
                    { it.pause() },
                    { it.resume() },
                    { it.reconnect() },
                    { it.retry(1) },
                    { it.fail("x") },
                    { it.setUrl("http://localhost/") },
                    { it.setHeader("a", "b") },
                    { it.setSecretHeader("a", "b") },
                )
            for (call in calls) assertThrows(IllegalStateException::class.java) { call(source) }
            if (started) recorder.untilClose()
        }
    }

    @Test
    fun `a source starts once`() {
        server.on("/events", stream(""))
        source().use { source ->
            source.start(recorder)
            assertThrows(IllegalStateException::class.java) { source.start(recorder) }
        }
    }

    @Test
    fun `close in a listener withholds the rest of the burst`() { // row 31
        server.on("/events", stream("data: 1\n\ndata: 2\n\n:c\n\ndata: 3\n\n"))
        val recorder = Recorder { source, event -> if (event is Event.Message) source.close() }
        source().use {
            it.start(recorder)
            assertEquals(listOf("Connect", "Open", "Message", "Close"), recorder.untilClose().map { it.javaClass.simpleName })
        }
    }

    @Test
    fun `close between two events of an iteration withholds the rest`() {
        server.on("/events", stream("data: 1\n\ndata: 2\n\ndata: 3\n\n"))
        val seen = LinkedBlockingQueue<String>()
        val kept = source()
        kept.start { source, events ->
            val iterator = events.iterator()
            while (iterator.hasNext()) {
                val event = iterator.next()
                seen.add(event.toString())
                if (event is Event.Message) {
                    iterator.hasNext() // looked ahead before the close
                    source.close()
                }
            }
            assertThrows(NoSuchElementException::class.java) { iterator.next() }
        }
        val all = ArrayList<String>()
        do all.add(seen.poll(DEADLINE_MS, TimeUnit.MILLISECONDS)!!) while (!all.last().startsWith("close"))
        assertEquals(listOf("message message: 1"), all.filter { it.startsWith("message") })
        kept.close() // which nothing else would refer to
    }

    @Test
    fun `close in every callback`() {
        server.on("/events", listOf("sse", body(":c\n\ndata: a\n\n"), "reset"))
        for (kind in listOf("Connect", "Open", "Comment", "Message", "Error")) {
            val recorder = Recorder { source, event -> if (event.javaClass.simpleName == kind) source.close() }
            val source = source()
            source.start(recorder)
            val all = recorder.untilClose()
            assertEquals(listOf(kind, "Close"), all.takeLast(2).map { it.javaClass.simpleName })
            assertEquals(ErrorKind.NONE, (all.last() as Event.Close).kind)
        }
    }

    @Test
    fun `close from many threads at once, while others call everything else`() {
        server.on("/events", stream("data: a\n\n"))
        repeat(50) {
            val recorder = Recorder()
            val source = source()
            source.start(recorder)
            val barrier = CyclicBarrier(6)
            val threads =
                List(6) { number ->
                    Thread {
                        barrier.await()
                        try {
                            when (number) {
                                0 -> repeat(20) { source.reconnect() }
                                1 -> repeat(20) { source.pause().also { source.resume() } }
                                2 -> repeat(20) { source.setHeader("A", "$it") }
                                3 -> repeat(20) { source.state }
                                else -> source.close()
                            }
                        } catch (_: IllegalStateException) {
                            // closed meanwhile
                        }
                    }.also { it.start() }
                }
            threads.forEach { it.join() }
            assertEquals(1, recorder.untilClose().count { it is Event.Close })
        }
        server.waitForOpen(0)
    }

    @Test
    fun `close from two threads while a third one starts`() {
        server.on("/events", stream("data: a\n\n"))
        repeat(200) {
            val recorder = Recorder()
            val source = source()
            val barrier = CyclicBarrier(3)
            val closers =
                List(2) {
                    Thread {
                        barrier.await()
                        source.close()
                    }.also { it.start() }
                }
            barrier.await()
            val started = runCatching { source.start(recorder) }
            closers.forEach { it.join() }
            assertEquals(State.CLOSED, source.state)
            if (started.isSuccess) {
                assertEquals(1, recorder.untilClose().count { it is Event.Close })
            } else {
                assertTrue(started.exceptionOrNull() is IllegalStateException)
                assertTrue(recorder.events.isEmpty())
            }
        }
    }

    @Test
    fun `exceptions go to the handler and the stream goes on, even if the handler throws`() {
        server.on("/events", stream("data: 1\n\ndata: 2\n\n"))
        val handled = LinkedBlockingQueue<String>()
        val logged = LinkedBlockingQueue<String>()
        val recorder = Recorder { _, event -> error(event.toString()) }
        val config =
            Config().exceptionHandler { _, exception ->
                handled.add(exception.message!!.substringBefore(' '))
                throw AssertionError("the handler itself fails")
            }
        withLog(logged) {
            source(config).use { source ->
                source.start(recorder)
                recorder.await<Event.Message>()
                assertEquals("2", recorder.await<Event.Message>().data)
            }
            recorder.untilClose()
            eventually("all logged") { logged.size == 5 }
        }
        assertEquals(listOf("connect", "open", "message", "message", "close"), handled.toList())
        assertEquals(setOf("the handler itself fails"), logged.toSet())
    }

    @Test
    fun `a log that throws, too, ends nothing`() {
        server.on("/events", stream("data: 1\n\ndata: 2\n\n"))
        val logger = Logger.getLogger("io.github.libeventsource")
        logger.setFilter { throw AssertionError("the log fails") }
        try {
            for (executor in listOf(null, Executor { it.run() })) {
                val recorder = Recorder { _, event -> error(event.toString()) }
                source(Config().executor(executor)).use { source ->
                    source.start(recorder)
                    recorder.await<Event.Message>()
                    assertEquals("2", recorder.await<Event.Message>().data)
                }
                recorder.untilClose()
                recorder.threads.toList().forEach { it.join() } // which still logs
            }
        } finally {
            logger.filter = null
        }
    }

    @Test
    fun `without a handler exceptions are logged`() {
        server.on("/events", status(204))
        val logged = LinkedBlockingQueue<String>()
        val recorder = Recorder { _, event -> if (event is Event.Close) error("mine") }
        withLog(logged) {
            source().use {
                it.start(recorder)
                assertEquals("mine", logged.poll(DEADLINE_MS, TimeUnit.MILLISECONDS))
            }
        }
    }

    /** What the library logs while [test] runs, and prints no more. */
    private fun withLog(
        messages: LinkedBlockingQueue<String>,
        test: () -> Unit,
    ) {
        val logger = Logger.getLogger("io.github.libeventsource")
        val handler =
            object : Handler() {
                override fun publish(record: LogRecord) {
                    messages.add(record.thrown.message)
                }

                override fun flush() = Unit

                override fun close() = Unit
            }
        logger.useParentHandlers = false
        logger.addHandler(handler)
        try {
            test()
        } finally {
            logger.removeHandler(handler)
            logger.useParentHandlers = true
        }
    }

    @Test
    fun `a call that another thread's close overtakes is no exception of the listener's`() {
        server.on("/events", stream("data: 1\n\n"))
        val thrown = AtomicInteger()
        val entered = CountDownLatch(1)
        val closed = CountDownLatch(1)
        val recorder =
            Recorder { source, event ->
                if (event is Event.Message) {
                    entered.countDown()
                    closed.await()
                    source.reconnect()
                }
            }
        val source = source(Config().exceptionHandler { _, _ -> thrown.incrementAndGet() })
        source.start(recorder)
        entered.await()
        source.close()
        closed.countDown()
        recorder.untilClose()
        assertEquals(0, thrown.get())
    }

    @Test
    fun `a call to another source that is closed is one, even at one's own end`() {
        server.on("/events", stream("data: 1\n\n"))
        val other = source().also { it.close() }
        val thrown = AtomicInteger()
        val recorder = Recorder { _, event -> if (event is Event.Close) other.resume() }
        val source = source(Config().exceptionHandler { _, _ -> thrown.incrementAndGet() })
        source.start(recorder)
        recorder.await<Event.Message>()
        source.close()
        recorder.untilClose()
        eventually("handled") { thrown.get() == 1 }
    }
}
