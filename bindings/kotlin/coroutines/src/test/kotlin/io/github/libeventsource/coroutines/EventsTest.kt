package io.github.libeventsource.coroutines

import io.github.libeventsource.Config
import io.github.libeventsource.DEADLINE_MS
import io.github.libeventsource.ErrorKind
import io.github.libeventsource.Event
import io.github.libeventsource.EventSource
import io.github.libeventsource.Recorder
import io.github.libeventsource.State
import io.github.libeventsource.TestServer
import io.github.libeventsource.TestServer.Companion.body
import io.github.libeventsource.TestServer.Companion.endless
import io.github.libeventsource.TestServer.Companion.status
import io.github.libeventsource.TestServer.Companion.stream
import io.github.libeventsource.TestServer.Companion.waitFor
import io.github.libeventsource.eventually
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancel
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.atomic.AtomicInteger

class EventsTest {
    private val server = TestServer.start()

    @AfterEach
    fun stop() = server.close()

    private fun source(config: Config = Config()) = EventSource(server.url("/events"), config)

    /** Nothing here lasts; only a hang reaches the limit. */
    private fun test(block: suspend CoroutineScope.() -> Unit) = runBlocking { withTimeout(DEADLINE_MS, block) }

    private fun threads() = Thread.getAllStackTraces().keys.filter { it.name == "eventsource" }

    @Test
    fun `everything that happens, then the flow is complete`() =
        test {
            server.on("/events", listOf("sse", body(":c\n\ndata: a\n\n"), "reset"), status(204))
            val kinds = source(Config().retry(1, 1)).events().map { it.javaClass.simpleName }.toList()
            assertEquals(listOf("Connect", "Open", "Comment", "Message", "Error", "Connect", "Close"), kinds)
        }

    @Test
    fun `nothing happens before it is collected, and it is collected once`() =
        test {
            server.on("/events", stream("data: a\n\n"))
            val source = source()
            val flow = source.events()
            delay(50)
            assertEquals(0, server.requests().size)
            assertEquals("a", flow.filterIsInstance<Event.Message>().first().data)
            assertEquals(State.CLOSED, source.state)
            assertThrows(IllegalStateException::class.java) { runBlocking { flow.collect() } }
        }

    @Test
    fun `by URL each collector has a source of its own`() =
        test {
            server.on("/events", stream("data: a\n\ndata: b\n\n"))
            val flow = EventSource.events(server.url("/events"))
            repeat(3) {
                assertEquals(
                    listOf("a", "b"),
                    flow
                        .filterIsInstance<Event.Message>()
                        .take(2)
                        .map { it.data }
                        .toList(),
                )
            }
            assertEquals(3, server.requests().size)
            server.waitForOpen(0)
        }

    @Test
    fun `no event is lost between batches, with a collector that suspends at odd moments`() =
        test {
            val count = 30_000
            val data = (0 until count).joinToString("") { "data: $it\n\n" }.chunked(7_001)
            server.on("/events", listOf<Any>("sse") + data.map { body(it) } + "stall")
            var next = 0
            val messages = source().events().filterIsInstance<Event.Message>().take(count)
            messages.collect {
                assertEquals("${next++}", it.data)
                if (next % 1_013 == 0) delay(1)
            }
            assertEquals(count, next)
        }

    @Test
    fun `a collector that suspends slows the server down`() =
        test {
            server.on("/events", listOf("sse", endless("data: ${"x".repeat(1000)}\n\n")))
            val job = launch(Dispatchers.Default) { source().events().filterIsInstance<Event.Message>().collect { awaitCancellation() } }
            server.waitForRequests(1)
            var sent = -1L
            do {
                val before = sent
                delay(200)
                sent = server.connections()[0].asJsonObject["sent"].asLong
            } while (sent != before)
            assertTrue(sent < 64 shl 20, "$sent bytes")
            job.cancelAndJoin()
        }

    @Test
    fun `cancelling closes at once, whatever the collector is doing`() =
        test {
            server.on("/events", listOf("sse", body("data: a\n\n"), "stall"))
            for (moment in listOf("suspended in the flow", "suspended in the collector")) {
                val reached = CompletableDeferred<Unit>()
                val job =
                    launch(Dispatchers.Default) {
                        source().events().filterIsInstance<Event.Message>().collect {
                            reached.complete(Unit)
                            if (moment.endsWith("collector")) awaitCancellation()
                        }
                    }
                reached.await()
                job.cancelAndJoin()
                server.waitForOpen(0)
            }
            eventually("no thread is left") { threads().isEmpty() }
        }

    @Test
    fun `an exception of the collector's closes and comes out`() =
        test {
            server.on("/events", stream("data: a\n\ndata: b\n\n"))
            val thrown =
                assertThrows(IllegalArgumentException::class.java) {
                    runBlocking { source().events().filterIsInstance<Event.Message>().collect { throw IllegalArgumentException(it.data) } }
                }
            assertEquals("a", thrown.message)
            server.waitForOpen(0)
            eventually("no thread is left") { threads().isEmpty() }
        }

    @Test
    fun `close ends the flow with Close`() =
        test {
            server.on("/events", stream("data: a\n\ndata: b\n\n"))
            val source = source()
            val events = source.events().onEach { if (it is Event.Message) source.close() }.toList()
            assertEquals(listOf("Connect", "Open", "Message", "Close"), events.map { it.javaClass.simpleName })
        }

    @Test
    fun `a close from another thread ends the flow with Close at whatever moment`() =
        test {
            server.on("/events", listOf("sse", endless("data: a\n\n")))
            repeat(200) { round ->
                val source = source()
                val closing = launch(Dispatchers.Default, start = CoroutineStart.LAZY) { source.close() }
                var messages = 0
                var last: Event? = null
                source.events().collect {
                    last = it
                    if (it is Event.Message && messages++ == round) closing.start()
                }
                assertTrue(last is Event.Close)
            }
        }

    @Test
    fun `retry and fail answer what is being collected`() =
        test {
            server.on("/events", status(401), stream("data: in\n\n"))
            val source = source()
            var refusals = 0
            val message =
                source
                    .events()
                    .onEach {
                        if (it is Event.Error) {
                            delay(20) // a wrong implementation polls on meanwhile
                            assertTrue(source.retry(0))
                            refusals++
                        }
                        if (it is Event.Connect && refusals == 0) assertTrue(source.fail("first"))
                    }.filterIsInstance<Event.Message>()
                    .first()
            assertEquals("in", message.data)
            assertEquals(2, refusals)
        }

    @Test
    fun `a suspending provider`() =
        test {
            server.on("/events", listOf("sse", body("data: 1\n\n"), waitFor("cut"), "reset"), stream("data: 2\n\n"))
            val scope = CoroutineScope(Dispatchers.Default + Job())
            val asked = AtomicInteger()
            val config =
                Config().retry(1, 1).suspendHeaders(scope) { _, event ->
                    delay(5)
                    mapOf("X-A" to "${asked.incrementAndGet()}", "X-Id" to event.url.takeLast(6))
                }
            val recorder = Recorder()
            source(config).use {
                it.start(recorder)
                assertEquals("1", recorder.await<Event.Message>().data)
                server.go("cut")
                assertEquals("2", recorder.await<Event.Message>().data)
            }
            assertEquals(listOf("1", "2"), server.requests().map { it.header("X-A") })
            assertEquals("events", server.requests()[0].header("X-Id"))
            assertTrue(scope.coroutineContext[Job]!!.isActive)
            scope.cancel()
        }

    @Test
    fun `a suspending provider that throws, and one whose scope is over`() =
        test {
            server.on("/events", stream("data: in\n\n"))
            val scope = CoroutineScope(Dispatchers.Default + Job())
            val attempts = AtomicInteger()
            val config =
                Config().retry(1, 1).suspendHeaders(scope) { _, _ ->
                    if (attempts.incrementAndGet() == 1) error("no token")
                    emptyMap()
                }
            val recorder = Recorder()
            source(config).use {
                it.start(recorder)
                val error = recorder.await<Event.Error>()
                assertEquals(ErrorKind.APPLICATION, error.kind)
                assertTrue("no token" in error.message)
                recorder.await<Event.Message>()
                assertTrue(scope.coroutineContext[Job]!!.isActive, "a refused token is no failure of the scope")
            }
            scope.cancel()
            val late = Recorder()
            source(config).use {
                it.start(late)
                assertEquals(ErrorKind.APPLICATION, late.await<Event.Error>().kind)
            }
        }

    @Test
    fun `close cancels a suspending provider`() =
        test {
            val scope = CoroutineScope(Dispatchers.Default + Job())
            val cancelled = CompletableDeferred<Unit>()
            val begun = CompletableDeferred<Unit>()
            val config =
                Config().suspendHeaders(scope) { _, _ ->
                    try {
                        begun.complete(Unit)
                        awaitCancellation()
                    } finally {
                        cancelled.complete(Unit)
                    }
                }
            val recorder = Recorder()
            val source = source(config)
            source.start(recorder)
            begun.await()
            source.close()
            cancelled.await()
            assertTrue(recorder.untilClose().none { it is Event.Error })
            scope.cancel()
        }
}
