package io.github.libeventsource

import io.github.libeventsource.TestServer.Companion.body
import io.github.libeventsource.TestServer.Companion.repeated
import io.github.libeventsource.TestServer.Companion.stream
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.lang.ref.WeakReference
import java.lang.reflect.Proxy
import java.net.URLClassLoader
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import java.util.logging.Logger

/** No crash and nothing left behind, whatever ends first: the source, the program, the class loader, the memory. */
class LifetimeTest {
    private val server = TestServer.start()

    @AfterEach
    fun stop() = server.close()

    private fun threads() = Thread.getAllStackTraces().keys.filter { it.name.startsWith("eventsource") }

    private fun collect(until: () -> Boolean) =
        eventually("collected") {
            System.gc()
            until()
        }

    /** Started sources that nothing refers to once [until] has returned: before that one might be collected too soon. */
    private fun forgotten(
        count: Int,
        listener: EventSource.Listener,
        config: Config = Config(),
        until: () -> Unit,
    ) {
        val kept = ArrayList<EventSource>()
        repeat(count) { kept.add(EventSource(server.url("/events"), config).also { it.start(listener) }) }
        until()
        kept.clear()
    }

    private fun collectAll() = collect { server.connections().none { it.asJsonObject["held"].asBoolean } }

    /** Runs [main] in a VM of its own and gives what it printed; fails if it does not end well. */
    private fun child(
        main: Class<*>,
        vararg options: String,
    ): String {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val command = listOf(java, "-cp", System.getProperty("java.class.path")) + options + listOf(main.name, server.url(""))
        val process = ProcessBuilder(command).redirectErrorStream(true).start()
        val output = StringBuilder()
        val reader = Thread { process.inputStream.bufferedReader().forEachLine { output.appendLine(it) } }.also { it.start() }
        val ended = process.waitFor(2 * DEADLINE_MS, TimeUnit.MILLISECONDS)
        if (!ended) process.destroyForcibly()
        reader.join()
        assertTrue(ended, "hangs:\n$output")
        assertEquals(0, process.exitValue(), output.toString())
        return output.toString()
    }

    @Test
    fun `a source that nobody refers to any more is closed, and so is one never started`() {
        server.on("/events", stream("data: 1\n\n"))
        val recorder = Recorder()
        val warnings = AtomicInteger()
        val logger = Logger.getLogger("io.github.libeventsource")
        logger.setFilter { record -> false.also { if ("keep a reference" in record.message) warnings.incrementAndGet() } }
        try {
            forgotten(2, recorder) { repeat(2) { recorder.await<Event.Message>() } }
            EventSource(server.url("/events"))
            collectAll()
            eventually("no thread is left") { threads().isEmpty() }
        } finally {
            logger.filter = null
        }
        assertTrue(recorder.events.none { it is Event.Close })
        assertEquals(2, warnings.get(), "of those that ran")
    }

    @Test
    fun `no attempt follows that nobody could object to`() {
        server.on("/events", stream("data: 1\n\n"))
        val asked = AtomicInteger()
        val config = Config().retry(1, 1).headers { _, _ -> error("no token ${asked.incrementAndGet()}") }
        val logger = Logger.getLogger("io.github.libeventsource")
        logger.setFilter { false.also { Thread.sleep(300) } } // one that takes its time
        try {
            forgotten(3, Recorder(), config) { eventually("asked") { asked.get() >= 3 } }
            collect { threads().isEmpty() }
        } finally {
            logger.filter = null
        }
        assertTrue(server.requests().isEmpty())
    }

    @Test
    fun `what is to be told of the end is told once, after Close`() {
        server.on("/events", stream("data: 1\n\n"))
        val told = LinkedBlockingQueue<String>()
        val source = EventSource(server.url("/events"))
        val recorder = Recorder { _, event -> if (event is Event.Close) told.add("Close") }
        source.onEnd { told.add("one") }
        source.onEnd { error("this is lost") }
        source.onEnd { told.add("two") }
        source.onEnd { told.add("taken back") }.close()
        source.start(recorder)
        recorder.await<Event.Message>()
        assertTrue(told.isEmpty())
        source.close()
        assertEquals(listOf("Close", "one", "two"), List(3) { told.poll(DEADLINE_MS, TimeUnit.MILLISECONDS) })
        eventually("over") { told.isEmpty() && threads().isEmpty() }
        source.onEnd { told.add("at once") }
        assertEquals("at once", told.remove())

        val unstarted = EventSource(server.url("/events"))
        unstarted.onEnd { told.add("unstarted") }
        unstarted.close()
        assertEquals(listOf("unstarted"), told.toList())
    }

    @Test
    fun `a busy stream that nobody refers to is warned about, too, and no log is interrupted`() {
        server.on("/flood", listOf("sse", TestServer.endless("data: 1\n\n")))
        server.on("/quiet", stream("data: 1\n\n"))
        val warnings = AtomicInteger()
        val interrupted = AtomicInteger()
        val logger = Logger.getLogger("io.github.libeventsource")
        logger.setFilter {
            try {
                Thread.sleep(50)
            } catch (_: InterruptedException) {
                interrupted.incrementAndGet()
            }
            false.also { warnings.incrementAndGet() }
        }

        fun forget(path: String) = EventSource(server.url(path)).start(object : EventSource.Listener {}) // which keeps nothing
        try {
            for (path in listOf("/flood", "/quiet", "/flood", "/quiet")) {
                forget(path)
                collect { threads().isEmpty() }
            }
        } finally {
            logger.filter = null
        }
        assertEquals(4, warnings.get())
        assertEquals(0, interrupted.get())
    }

    @Test
    fun `a log that throws keeps no source from being closed`() {
        server.on("/events", stream("data: 1\n\n"))
        val recorder = Recorder()
        val logger = Logger.getLogger("io.github.libeventsource")
        logger.setFilter { throw AssertionError("the log fails") }
        try {
            repeat(2) {
                forgotten(1, recorder) { recorder.await<Event.Message>() }
                collectAll()
            }
            eventually("no thread is left") { threads().isEmpty() }
        } finally {
            logger.filter = null
        }
    }

    @Test
    fun `a source that is referred to lives through collections`() {
        server.on("/events", listOf("sse", body("data: 1\n\n"), TestServer.waitFor("more"), body("data: 2\n\n"), "stall"))
        val recorder = Recorder()
        val source = EventSource(server.url("/events"), Config().executor { it.run() })
        source.start(recorder)
        recorder.await<Event.Message>()
        repeat(5) { System.gc() }
        server.go("more")
        assertEquals("2", recorder.await<Event.Message>().data)
        assertEquals(State.OPEN, source.state)
        source.close()
        recorder.untilClose()
    }

    @Test
    fun `nothing that a thread hands down is kept by other sources`() {
        eventually("no source is left") { threads().isEmpty() }
        val local = InheritableThreadLocal<Any>()
        local.set(Any())
        val first = EventSource(server.url("/events")) // starts what watches
        val value = WeakReference(local.get())
        local.remove()
        EventSource(server.url("/events")).use {
            first.close()
            collect { value.get() == null }
        }
    }

    @Test
    fun `an executor's source is collected too`() {
        server.on("/events", stream("data: 1\n\n"))
        val recorder = Recorder()
        forgotten(1, recorder, Config().executor { it.run() }) { recorder.await<Event.Message>() }
        collectAll()
        eventually("no thread is left") { threads().isEmpty() }
    }

    @Test
    fun `a thousand sources at once`() {
        val count = 1_000
        server.on("/events", stream("data: 1\n\n"))
        val messages = CountDownLatch(count)
        val closes = CountDownLatch(count)
        val listener =
            object : EventSource.Listener {
                override fun onMessage(
                    source: EventSource,
                    event: Event.Message,
                ) = messages.countDown()

                override fun onClose(
                    source: EventSource,
                    event: Event.Close,
                ) = closes.countDown()
            }
        val sources = List(count) { EventSource(server.url("/events")).also { it.start(listener) } }
        assertTrue(messages.await(DEADLINE_MS, TimeUnit.MILLISECONDS), "${messages.count} without a message")
        assertEquals(count, sources.count { it.state == State.OPEN })
        sources.forEach { it.close() }
        assertTrue(closes.await(DEADLINE_MS, TimeUnit.MILLISECONDS), "${closes.count} without a close")
        eventually("no thread is left") { threads().isEmpty() }
        server.waitForOpen(0)
    }

    @Test
    fun `its classes can be unloaded, and loaded again`() {
        server.on("/events", stream("data: 1\n\n"))
        repeat(2) {
            val loaders = useTwoLoaders()
            collect { loaders.all { it.get() == null } }
        }
    }

    /** Two at once, besides the test's own: the VM gives a library to one loader only. */
    private fun useTwoLoaders(): List<WeakReference<URLClassLoader>> {
        val loaders = List(2) { loaderOfItsOwn() }
        repeat(2) { loaders.forEach(::use) }
        loaders.forEach { it.close() }
        return loaders.map { WeakReference(it) }
    }

    private fun loaderOfItsOwn(): URLClassLoader {
        val urls =
            System
                .getProperty("java.class.path")
                .split(File.pathSeparator)
                .filterNot { "test-classes" in it }
                .map { File(it).toURI().toURL() }
        return URLClassLoader(urls.toTypedArray(), ClassLoader.getSystemClassLoader().parent)
    }

    private fun use(loader: ClassLoader) {
        val type = loader.loadClass("io.github.libeventsource.EventSource")
        val listenerType = loader.loadClass("io.github.libeventsource.EventSource\$BatchListener")
        val messages = CountDownLatch(1)
        val closes = CountDownLatch(1)
        val listener =
            Proxy.newProxyInstance(loader, arrayOf(listenerType)) { _, method, arguments ->
                if (method.name == "onEvents") {
                    for (event in arguments[1] as Iterable<*>) {
                        if (event!!.javaClass.simpleName == "Message") messages.countDown()
                        if (event.javaClass.simpleName == "Close") closes.countDown()
                    }
                }
                null
            }
        val source = type.getConstructor(String::class.java).newInstance(server.url("/events")) as AutoCloseable
        assertFalse(source is EventSource, "another class of that name")
        type.getMethod("start", listenerType).invoke(source, listener)
        assertTrue(messages.await(DEADLINE_MS, TimeUnit.MILLISECONDS))
        source.close()
        assertTrue(closes.await(DEADLINE_MS, TimeUnit.MILLISECONDS))
    }

    @Test
    fun `the program ends while streams run`() {
        server.on("/events", stream("data: 1\n\n"))
        assertEquals("running\n", child(Ends::class.java))
    }

    @Test
    fun `the program ends in a listener`() {
        server.on("/events", stream("data: 1\n\n"))
        assertEquals("", child(ExitsInListener::class.java))
    }

    @Test
    fun `an event larger than the heap is reported and the stream goes on`() {
        server.on("/events", listOf("sse", body("data: "), repeated("x", 20 shl 20), body("\n\ndata: small\n\n"), "stall"))
        assertEquals("OutOfMemoryError\nsmall\n", child(SmallHeap::class.java, "-Xmx24m"))
    }

    @Test
    fun `the log tells of connections and of no header's value`() {
        server.on("/events", stream("data: 1\n\n"))
        val output = child(Logs::class.java)
        assertTrue("debug eventsource" in output || "info eventsource" in output, output)
        assertTrue(server.port.toString() in output, output)
        assertFalse("hush" in output, output)
        assertEquals("silence", output.trim().lines().last())
    }

    @Test
    fun `the VM's own check of every JNI call finds nothing`() {
        server.on("/events", listOf("sse", body((0 until 300).joinToString("") { "id: $it\ndata: $it\n\n" }), "reset"))
        server.on("/large", listOf("sse", body("data: "), repeated("x", 200_000), body("\n\n"), "stall"))
        server.on("/refused", TestServer.status(404, "A" to "b", text = "no"))
        val output = child(Everything::class.java, "-Xcheck:jni", "-Xmx64m")
        assertEquals("done", output.trim(), output)
    }
}

object Ends {
    private var kept = emptyList<EventSource>() // not a local: one that is used no more counts as no reference

    @JvmStatic
    fun main(arguments: Array<String>) {
        val running = CountDownLatch(20)
        val listener = EventSource.BatchListener { _, events -> if (events.any { it is Event.Message }) running.countDown() }
        kept = List(20) { EventSource(arguments[0] + if (it % 2 == 0) "/events" else "/flood?size=100").also { it.start(listener) } }
        running.await()
        check(kept.none { it.state == State.CLOSED })
        println("running")
    }
}

object ExitsInListener {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val source = EventSource(arguments[0] + "/events")
        source.start { _, events -> if (events.any { it is Event.Message }) Runtime.getRuntime().exit(0) }
        Thread.sleep(2 * DEADLINE_MS)
        source.close()
    }
}

object SmallHeap {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val done = CountDownLatch(1)
        val config = Config().exceptionHandler { _, exception -> println(exception.javaClass.simpleName) }
        EventSource(arguments[0] + "/events", config).use { source ->
            source.start { _, events ->
                for (event in events) {
                    if (event is Event.Message) {
                        println(event.data)
                        done.countDown()
                    }
                }
            }
            done.await()
        }
    }
}

object Logs {
    private var kept: EventSource? = null

    @JvmStatic
    fun main(arguments: Array<String>) {
        for (level in listOf(4, 0)) {
            EventSource.setLogLevel(level)
            if (level == 0) println("silence")
            val closed = CountDownLatch(1)
            kept = EventSource(arguments[0] + "/events", Config().header("X-Token", "hush"))
            kept?.start { source, events ->
                for (event in events) {
                    if (event is Event.Message) source.close()
                    if (event is Event.Close) closed.countDown()
                }
            }
            closed.await()
        }
    }
}

/** Every native function, each in more than one way. */
object Everything {
    @JvmStatic
    fun main(arguments: Array<String>) {
        check(EventSource.version.isNotEmpty())
        EventSource.setLogLevel(0)
        val base = arguments[0]
        val config =
            Config()
                .retry(1, 1)
                .header("X", "ü😀")
                .lastEventId("7")
                .maxRetries(3)
                .headers { source, _ ->
                    source.setSecretHeader("Y", "z")
                    mapOf("A" to "b", "C" to null)
                }
        for (path in listOf("/events", "/large", "/refused", "/flood?size=100&count=50000")) {
            repeat(10) {
                val left = AtomicInteger(200)
                val closed = CountDownLatch(1)
                val listener =
                    object : EventSource.Listener {
                        override fun onConnect(
                            source: EventSource,
                            event: Event.Connect,
                        ) {
                            if (left.get() % 7 == 3) source.fail("not now")
                        }

                        override fun onOpen(
                            source: EventSource,
                            event: Event.Open,
                        ) = check(event.headers.isNotEmpty())

                        override fun onMessage(
                            source: EventSource,
                            event: Event.Message,
                        ) {
                            check(
                                event.data.isNotEmpty() &&
                                    event.type.isNotEmpty() &&
                                    event.url.isNotEmpty() &&
                                    event.lastEventId.isNotEmpty(),
                            )
                            when (left.decrementAndGet()) {
                                in Int.MIN_VALUE..0 -> source.close()
                                50 -> source.setUrl(base + "/large")
                                100 -> source.reconnect()
                                150 -> source.pause().also { source.resume() }
                            }
                            if (event.url.endsWith("/large")) source.close() // it sends no other
                        }

                        override fun onError(
                            source: EventSource,
                            event: Event.Error,
                        ) {
                            check(event.message.isNotEmpty())
                            if (event.retryMs < 0 || left.get() < 100) source.close() else source.retry(1)
                        }

                        override fun onClose(
                            source: EventSource,
                            event: Event.Close,
                        ) = closed.countDown()
                    }
                val source = EventSource(base + path, config)
                source.start(listener)
                check(source.state != State.CLOSED || closed.count < 2)
                closed.await()
            }
        }
        try {
            EventSource("nonsense")
        } catch (_: IllegalArgumentException) {
            println("done")
        }
    }
}
