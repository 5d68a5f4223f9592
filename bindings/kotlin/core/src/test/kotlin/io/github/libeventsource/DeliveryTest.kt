package io.github.libeventsource

import io.github.libeventsource.TestServer.Companion.body
import io.github.libeventsource.TestServer.Companion.endless
import io.github.libeventsource.TestServer.Companion.status
import io.github.libeventsource.TestServer.Companion.stream
import io.github.libeventsource.TestServer.Companion.waitFor
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.lang.reflect.Proxy
import java.util.concurrent.Callable
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executor
import java.util.concurrent.Executors
import java.util.concurrent.FutureTask
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.RejectedExecutionException
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread

/** Which thread events come on, what waits for them, and how headers are asked for. */
class DeliveryTest {
    private val server = TestServer.start()
    private val recorder = Recorder()

    @AfterEach
    fun stop() = server.close()

    private fun source(config: Config = Config()) = EventSource(server.url("/events"), config)

    @Test
    fun `without an executor it is one daemon thread of the stream's own`() {
        server.on("/events", stream("data: 1\n\n"))
        source().use {
            it.start(recorder)
            recorder.await<Event.Message>()
        }
        recorder.untilClose()
        val thread = recorder.threads.single()
        assertTrue(thread.isDaemon)
        thread.join(DEADLINE_MS)
        assertFalse(thread.isAlive)
    }

    @Test
    fun `an executor gets everything, the provider of headers included, in order`() {
        val count = 5_000
        server.on("/events", stream((0 until count).joinToString("") { "data: $it\n\n" }))
        val pool = Executors.newFixedThreadPool(4) { Thread(it, "pool") }
        val asked = LinkedBlockingQueue<String>()
        val config =
            Config().executor(pool).headers { _, _ ->
                asked.add(Thread.currentThread().name)
                mapOf("X-A" to "1")
            }
        source(config).use {
            it.start(recorder)
            for (n in 0 until count) assertEquals("$n", recorder.await<Event.Message>().data)
        }
        recorder.untilClose()
        assertEquals(setOf("pool"), recorder.threads.map { it.name }.toSet())
        assertEquals(listOf("pool"), asked.toList())
        assertEquals("1", server.requests()[0].header("X-A"))
        pool.shutdown()
    }

    @Test
    fun `retry works on an executor, which is waited for`() {
        server.on("/events", status(403), stream("data: in\n\n"))
        val pool = Executors.newSingleThreadExecutor()
        val recorder =
            Recorder { source, event ->
                if (event is Event.Error) {
                    Thread.sleep(50) // a wrong implementation polls on meanwhile, and the error is final
                    assertTrue(source.retry(0))
                }
            }
        source(Config().executor(pool)).use {
            it.start(recorder)
            assertEquals("in", recorder.await<Event.Message>().data)
        }
        pool.shutdown()
    }

    @Test
    fun `an executor that never comes round does not hold a closed source`() {
        server.on("/events", stream("data: 1\n\n"))
        val tasks = LinkedBlockingQueue<Runnable>()
        val source = source(Config().executor(Executor { tasks.add(it) }))
        source.start(recorder)
        val connect = tasks.poll(DEADLINE_MS, TimeUnit.MILLISECONDS)!!
        source.close()
        val close = tasks.poll(DEADLINE_MS, TimeUnit.MILLISECONDS)!! // the stream has gone on to its end
        connect.run()
        assertTrue(recorder.events.isEmpty(), "what was not begun before the close is dropped")
        close.run()
        assertEquals(listOf("Close"), recorder.untilClose().map { it.javaClass.simpleName })
    }

    @Test
    fun `a task of the executor's that runs while the source is closed is waited for`() {
        server.on("/events", stream("data: 1\n\n"))
        val pool = Executors.newFixedThreadPool(2)
        val entered = CountDownLatch(1)
        val leave = CountDownLatch(1)
        val recorder =
            Recorder { _, event ->
                if (event is Event.Message) {
                    entered.countDown()
                    leave.await()
                }
            }
        val source = source(Config().executor(pool))
        source.start(recorder)
        entered.await()
        source.close()
        leave.countDown()
        assertEquals(listOf("Message", "Close"), recorder.untilClose().takeLast(2).map { it.javaClass.simpleName })
        pool.shutdown()
    }

    @Test
    fun `an executor that refuses ends the stream`() {
        server.on("/events", stream("data: 1\n\n"))
        val thrown = LinkedBlockingQueue<Throwable>()
        val config = Config().executor { throw RejectedExecutionException("shut down") }.exceptionHandler { _, it -> thrown.add(it) }
        val source = source(config)
        source.start(recorder)
        assertEquals("shut down", thrown.poll(DEADLINE_MS, TimeUnit.MILLISECONDS)?.message)
        eventually("closed") { source.state == State.CLOSED }
        assertEquals(listOf("Close"), recorder.untilClose().map { it.javaClass.simpleName })
        assertEquals(listOf("eventsource"), recorder.threads.map { it.name })
        assertTrue(thrown.isEmpty(), "one refusal is enough")
    }

    @Test
    fun `an executor that is shut down after the close does not lose its Close`() {
        server.on("/events", stream("data: 1\n\n"))
        repeat(20) {
            val recorder = Recorder()
            val pool = Executors.newSingleThreadExecutor()
            val source = source(Config().executor(pool))
            source.start(recorder)
            recorder.await<Event.Message>()
            source.close()
            pool.shutdown()
            assertEquals(1, recorder.untilClose().count { it is Event.Close })
        }
    }

    @Test
    fun `an executor that keeps a task and fails all the same ends the stream, and the task does nothing`() {
        server.on("/events", stream("data: 1\n\n"))
        val thrown = LinkedBlockingQueue<Throwable>()
        val tasks = LinkedBlockingQueue<Runnable>()
        val config =
            Config()
                .executor {
                    tasks.add(it)
                    throw OutOfMemoryError("unable to create native thread") // as a pool does that has queued it
                }.exceptionHandler { _, it -> thrown.add(it) }
        val source = source(config)
        source.start(recorder)
        assertEquals("unable to create native thread", thrown.poll(DEADLINE_MS, TimeUnit.MILLISECONDS)?.message)
        eventually("closed") { source.state == State.CLOSED }
        eventually("offered the Close") { tasks.size == 2 }
        assertEquals(listOf("Close"), recorder.untilClose().map { it.javaClass.simpleName })
        tasks.forEach { it.run() }
        assertTrue(recorder.events.isEmpty())
        assertTrue(server.requests().isEmpty(), "an attempt that nobody was asked about")
    }

    @Test
    fun `a listener that blocks slows the server down`() {
        server.on("/events", listOf("sse", endless("data: ${"x".repeat(1000)}\n\n")))
        val leave = CountDownLatch(1)
        val entered = CountDownLatch(1)
        val recorder =
            Recorder { _, event ->
                if (event is Event.Message && entered.count > 0) {
                    entered.countDown()
                    leave.await()
                }
            }
        val source = source()
        source.start(recorder)
        entered.await()
        var sent = -1L
        // Until no more goes out: the buffers of the two sockets are full, and nothing else grows.
        eventually("the server stands still") {
            val before = sent
            Thread.sleep(200)
            sent = server.connections()[0].asJsonObject["sent"].asLong
            sent == before
        }
        assertTrue(sent < 64 shl 20, "$sent bytes")
        source.close()
        leave.countDown()
        while (recorder.next() !is Event.Close) Unit
    }

    @Test
    fun `the provider is asked before each attempt and a null takes a header back`() {
        server.on(
            "/events",
            listOf("sse", body("data: 1\n\n"), "reset"),
            listOf("sse", body("data: 2\n\n"), "reset"),
            stream("data: 3\n\n"),
        )
        val attempts = AtomicInteger()
        val config =
            Config().retry(1, 1).headers { _, event ->
                assertEquals(server.url("/events"), event.url)
                val n = attempts.incrementAndGet()
                mapOf("X-Attempt" to "$n", "X-Second" to if (n == 2) "yes" else null)
            }
        source(config).use {
            it.start(recorder)
            repeat(3) { n -> assertEquals("${n + 1}", recorder.await<Event.Message>().data) }
        }
        val requests = server.requests()
        assertEquals(listOf("1", "2", "3"), requests.map { it.header("X-Attempt") })
        assertEquals(listOf(null, "yes", null), requests.map { it.header("X-Second") })
    }

    @Test
    fun `a provider that fails makes the attempt fail and is asked again`() {
        server.on("/events", stream("data: in\n\n"))
        val attempts = AtomicInteger()
        val config =
            Config().retry(1, 1).headers { _, _ ->
                when (attempts.incrementAndGet()) {
                    1 -> throw java.io.IOException("no token")
                    2 -> mapOf("bad name" to "x")
                    else -> emptyMap()
                }
            }
        source(config).use {
            it.start(recorder)
            val error = recorder.await<Event.Error>()
            assertEquals(ErrorKind.APPLICATION, error.kind)
            assertTrue("no token" in error.message)
            assertEquals(ErrorKind.APPLICATION, recorder.await<Event.Error>().kind)
            assertEquals("in", recorder.await<Event.Message>().data)
        }
        assertEquals(1, server.requests().size)
    }

    @Test
    fun `a later answer is waited for without holding the executor`() {
        server.on("/events", stream("data: in\n\n"))
        val pool = Executors.newSingleThreadExecutor()
        val asked = LinkedBlockingQueue<FutureTask<out Map<String, String?>>>()
        val config = Config().executor(pool).asyncHeaders { _, _ -> FutureTask { mapOf("X-A" to "later") }.also { asked.add(it) } }
        source(config).use {
            it.start(recorder)
            val answer = asked.poll(DEADLINE_MS, TimeUnit.MILLISECONDS)!!
            assertTrue(recorder.next() is Event.Connect)
            pool.submit { }.get(DEADLINE_MS, TimeUnit.MILLISECONDS)
            assertEquals(0, server.requests().size)
            answer.run()
            assertEquals("in", recorder.await<Event.Message>().data)
        }
        assertEquals("later", server.requests()[0].header("X-A"))
        pool.shutdown()
    }

    @Test
    fun `an answer that fails, or does not come in time, is an error of the application's`() {
        server.on("/events", stream("data: in\n\n"))
        val attempts = AtomicInteger()
        val config =
            Config().retry(1, 1).connectTimeout(200).asyncHeaders { _, _ ->
                when (attempts.incrementAndGet()) {
                    1 -> FutureTask<Map<String, String?>> { error("refused") }.also { it.run() }
                    2 -> FutureTask<Map<String, String?>> { emptyMap() } // never run
                    else -> FutureTask<Map<String, String?>> { emptyMap() }.also { it.run() }
                }
            }
        source(config).use {
            it.start(recorder)
            val first = recorder.await<Event.Error>()
            assertEquals(ErrorKind.APPLICATION, first.kind)
            assertTrue("refused" in first.message)
            val second = recorder.await<Event.Error>()
            assertEquals(ErrorKind.APPLICATION, second.kind)
            assertTrue("200 ms" in second.message)
            assertEquals("in", recorder.await<Event.Message>().data)
        }
    }

    @Test
    fun `an answer that is there when its time is up counts`() {
        server.on("/events", stream("data: in\n\n"))
        val config =
            Config().retry(1, 1).connectTimeout(200).asyncHeaders { _, _ ->
                object : CompletableFuture<Map<String, String?>>() {
                    // As for a thread that does not get its turn.
                    override fun get(
                        timeout: Long,
                        unit: TimeUnit,
                    ): Map<String, String?> {
                        if (isDone) return super.get(timeout, unit)
                        Thread.sleep(300)
                        complete(emptyMap())
                        throw TimeoutException()
                    }
                }
            }
        source(config).use {
            it.start(recorder)
            do {
                val event = recorder.next()
                assertTrue(event !is Event.Error || event.kind != ErrorKind.APPLICATION, "$event")
            } while (event !is Event.Message)
        }
    }

    @Test
    fun `resume ends the wait for the answer to an attempt that a pause has ended before anybody was asked`() {
        server.on("/events", stream("data: in\n\n"))
        val asked = LinkedBlockingQueue<CompletableFuture<Map<String, String?>>>()
        val config = Config().connectTimeout(0).asyncHeaders { _, _ -> CompletableFuture<Map<String, String?>>().also { asked.add(it) } }
        source(config).use { source ->
            val field = Stream::class.java.getDeclaredField("lock")
            field.isAccessible = true
            val lock = field.get(source.stream)
            synchronized(lock) {
                source.start(recorder)
                eventually("it has Connect, and no more") {
                    Thread.getAllStackTraces().keys.any { it.name == "eventsource" && it.state == Thread.State.BLOCKED }
                }
                source.pause()
            }
            val first = asked.poll(DEADLINE_MS, TimeUnit.MILLISECONDS)!!
            source.resume()
            asked.poll(DEADLINE_MS, TimeUnit.MILLISECONDS)!!.complete(emptyMap())
            assertEquals("in", recorder.await<Event.Message>().data)
            assertTrue(first.isCancelled)
        }
    }

    @Test
    fun `no answer at all does not pass for no provider`() {
        server.on("/events", stream("data: in\n\n"))
        // What a Java lambda may do.
        val type = AsyncHeaderProvider::class.java
        val provider = Proxy.newProxyInstance(type.classLoader, arrayOf(type)) { _, _, _ -> null } as AsyncHeaderProvider
        source(Config().maxRetries(0).asyncHeaders(provider)).use {
            it.start(recorder)
            val error = recorder.await<Event.Error>()
            assertEquals(ErrorKind.APPLICATION, error.kind)
            assertTrue("null" in error.message, error.message)
        }
        assertTrue(server.requests().isEmpty())
    }

    @Test
    fun `close, pause and reconnect abandon an answer that has not come`() {
        server.on("/events", stream("data: in\n\n"))
        for (call in listOf("close", "pause", "reconnect")) {
            val recorder = Recorder()
            val asked = LinkedBlockingQueue<FutureTask<out Map<String, String?>>>()
            val config =
                Config().connectTimeout(0).asyncHeaders {
                    _,
                    _,
                    ->
                    FutureTask<Map<String, String?>> { emptyMap() }.also { asked.add(it) }
                }
            val source = source(config)
            source.start(recorder)
            val answer = asked.poll(DEADLINE_MS, TimeUnit.MILLISECONDS)!!
            recorder.next() as Event.Connect
            when (call) {
                "close" -> source.close()
                "pause" -> source.pause()
                "reconnect" -> source.reconnect()
            }
            eventually("$call cancels") { answer.isCancelled }
            if (call == "pause") {
                assertEquals(State.PAUSED, source.state)
                assertNull(asked.poll(100, TimeUnit.MILLISECONDS), "asked while paused")
                source.resume()
            }
            if (call != "close") {
                asked.poll(DEADLINE_MS, TimeUnit.MILLISECONDS)!!.run()
                assertEquals("in", recorder.await<Event.Message>().data)
                source.close()
            }
            assertTrue(recorder.untilClose().none { it is Event.Error })
        }
    }

    @Test
    fun `an attempt after reconnect goes with the answer that was asked for it`() {
        server.on("/events", listOf("sse", "stall"))
        val pool = Executors.newScheduledThreadPool(1)
        val asked = AtomicInteger()
        val config =
            Config().asyncHeaders { _, _ ->
                val number = asked.incrementAndGet().toString()
                pool.schedule(Callable { mapOf("X-Number" to number) }, 5, TimeUnit.MILLISECONDS)
            }
        val source = source(config)
        // Others want the lock, too, so that whoever gives it away waits for it.
        val isOver = AtomicBoolean()
        val other = {
            while (!isOver.get()) {
                repeat(100) { source.setHeader("X-Any", "1") }
                Thread.sleep(1)
            }
        }
        val others = List(2) { thread(isDaemon = true, block = other) }
        try {
            source.start(recorder)
            repeat(30) {
                recorder.await<Event.Open>()
                Thread.sleep(110) // an attempt less than 100 ms after another would be put off, and nothing would race
                source.reconnect()
            }
            recorder.await<Event.Open>()
        } finally {
            isOver.set(true)
            others.forEach { it.join() }
            source.close()
            pool.shutdown()
        }
        val numbers = server.requests().map { it.header("X-Number") }
        assertEquals(numbers.size, numbers.toSet().size, "$numbers")
    }

    @Test
    fun `an answer that does not obey is not waited for, and one that throws is no concern of close`() {
        server.on("/events", stream("data: in\n\n"))

        class Stubborn : CompletableFuture<Map<String, String?>>() {
            override fun cancel(mayInterrupt: Boolean): Boolean = false
        }

        class Wild : CompletableFuture<Map<String, String?>>() {
            override fun cancel(mayInterrupt: Boolean): Boolean = throw IllegalStateException("no cancel")
        }
        for (call in listOf("close", "reconnect")) {
            for (answers in listOf({ Stubborn() }, { Wild() })) {
                val recorder = Recorder()
                val asked = AtomicInteger()
                val config =
                    Config().connectTimeout(0).asyncHeaders { _, _ ->
                        if (asked.incrementAndGet() == 1) answers() else CompletableFuture.completedFuture(mapOf("X-A" to "2"))
                    }
                val source = source(config)
                source.start(recorder)
                recorder.next() as Event.Connect
                if (call == "reconnect") {
                    source.reconnect()
                    assertEquals("in", recorder.await<Event.Message>().data)
                }
                source.close()
                assertTrue(recorder.untilClose().none { it is Event.Error })
            }
        }
        assertTrue(server.requests().all { it.header("X-A") == "2" })
        // Nor is it that of a timeout.
        source(Config().connectTimeout(50).asyncHeaders { _, _ -> Wild() }).use {
            it.start(recorder)
            assertTrue("50 ms" in recorder.await<Event.Error>().message)
        }
    }

    @Test
    fun `an interrupt of the stream's thread is left to the listener`() {
        server.on("/events", listOf("sse", body("data: 1\n\n"), waitFor("more"), body("data: 2\n\n"), "stall"))
        val recorder = Recorder { _, event -> if (event is Event.Message) Thread.currentThread().interrupt() }
        source().use {
            it.start(recorder)
            recorder.await<Event.Message>()
            server.go("more")
            assertEquals("2", recorder.await<Event.Message>().data)
        }
        recorder.untilClose()
    }

    @Test
    fun `a listener gets the source it belongs to`() {
        server.on("/events", stream("data: 1\n\n"))
        val got = LinkedBlockingQueue<EventSource>()
        source().use { source ->
            source.start(Recorder { it, _ -> got.add(it) })
            assertSame(source, got.poll(DEADLINE_MS, TimeUnit.MILLISECONDS))
        }
    }
}
