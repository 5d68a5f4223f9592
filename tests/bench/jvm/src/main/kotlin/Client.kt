import com.google.gson.Gson
import com.launchdarkly.eventsource.MessageEvent
import com.launchdarkly.eventsource.background.BackgroundEventHandler
import com.launchdarkly.eventsource.background.BackgroundEventSource
import com.sun.management.OperatingSystemMXBean
import io.github.libeventsource.Event
import io.github.libeventsource.EventSource
import io.github.libeventsource.coroutines.events
import kotlinx.coroutines.runBlocking
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import okhttp3.sse.EventSourceListener
import okhttp3.sse.EventSources
import java.io.File
import java.lang.management.ManagementFactory
import java.net.Socket
import java.net.URI
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicLong
import kotlin.concurrent.thread

// One measurement: Client CLIENT SCENARIO URL prints its numbers as JSON. A process of its own, so that CPU and memory are its own.

/** Takes the data of each event; of those that only count, null. */
private typealias Sink = (String?) -> Unit

private val clients: Map<String, (url: String, sink: Sink) -> Unit> =
    mapOf(
        "libeventsource" to { url, sink -> listen(url) { sink(it.data) } },
        "libeventsource, counting" to { url, sink -> listen(url) { sink(null) } },
        "libeventsource, Flow" to { url, sink ->
            thread(isDaemon = true) {
                runBlocking { EventSource.events(url).collect { if (it is Event.Message) sink(it.data) } }
            }
        },
        "okhttp-sse 5.3.2" to { url, sink ->
            val client = OkHttpClient.Builder().readTimeout(0, TimeUnit.SECONDS).build()
            EventSources.createFactory(client).newEventSource(
                Request.Builder().url(url).build(),
                object : EventSourceListener() {
                    override fun onEvent(
                        eventSource: okhttp3.sse.EventSource,
                        id: String?,
                        type: String?,
                        data: String,
                    ) = sink(data)

                    override fun onFailure(
                        eventSource: okhttp3.sse.EventSource,
                        t: Throwable?,
                        response: Response?,
                    ): Unit = throw IllegalStateException(t)
                },
            )
        },
        "okhttp-eventsource 4.1.1" to { url, sink ->
            val handler =
                object : BackgroundEventHandler {
                    override fun onMessage(
                        event: String,
                        message: MessageEvent,
                    ) = sink(message.data)

                    override fun onOpen() = Unit

                    override fun onClosed() = Unit

                    override fun onComment(comment: String) = Unit

                    override fun onError(t: Throwable) = Unit
                }
            BackgroundEventSource
                .Builder(
                    handler,
                    com.launchdarkly.eventsource.EventSource
                        .Builder(URI(url)),
                ).build()
                .start()
        },
        "okhttp-eventsource, pulled" to { url, sink ->
            thread(isDaemon = true) {
                val source =
                    com.launchdarkly.eventsource.EventSource
                        .Builder(URI(url))
                        .build()
                while (true) sink(source.readMessage().data)
            }
        },
        "plain socket" to { url, sink ->
            thread(isDaemon = true) { readSocket(URI(url), sink) }
        },
    )

private var kept: Any? = null // a source that nobody refers to is closed

private inline fun listen(
    url: String,
    crossinline each: (Event.Message) -> Unit,
) {
    val source = EventSource(url)
    kept = source
    source.start(
        object : EventSource.Listener {
            override fun onMessage(
                source: EventSource,
                event: Event.Message,
            ) = each(event)
        },
    )
}

/** Reads, and no more, where there is a flood; hands over each line's text where there are few: what a client in Java cannot be faster than. */
private fun readSocket(
    url: URI,
    sink: Sink,
) {
    val socket = Socket(url.host, url.port)
    socket.tcpNoDelay = true
    socket.getOutputStream().write("GET ${url.rawPath}?${url.rawQuery} HTTP/1.1\r\nHost: bench\r\n\r\n".toByteArray())
    // A look at each byte would cost more than all else: events of one size need none.
    val size = if ("flood" in url.path) url.rawQuery.substringAfter("size=").toInt() else 0
    val buffer = ByteArray(64 * 1024)
    var left = 0
    while (true) {
        val count = socket.getInputStream().read(buffer)
        if (count < 0) return
        if (size != 0) {
            left += count
            while (left >= size) {
                left -= size
                sink(null)
            }
        } else {
            // On a busy machine several come at once.
            for (data in String(buffer, 0, count, Charsets.UTF_8).split("data: ").drop(1)) sink(data.substringBefore("\n"))
        }
    }
}

private val system = ManagementFactory.getOperatingSystemMXBean() as OperatingSystemMXBean

private fun cpuSeconds() = system.processCpuTime / 1e9

private fun rssKilobytes() =
    File("/proc/self/status")
        .readLines()
        .first { it.startsWith("VmRSS") }
        .filter { it.isDigit() }
        .toLong()

/** One thread counts, so that no event has to pay for a fence: a volatile counter costs as much as parsing it. */
private val counter = AtomicLong()
private val events get() = counter.get()
private var characters = 0L

private fun count() = counter.lazySet(counter.get() + 1)

/** Sleeps until this process has had so much CPU: on a busy machine as much is compiled and measured as on a quiet one. */
private fun spend(seconds: Double) {
    val end = cpuSeconds() + seconds
    while (cpuSeconds() < end) Thread.sleep(10)
}

/** Events a second and CPU, with every data looked at, after a warm-up. */
private fun flood(start: (Sink) -> Unit): Map<String, Double> {
    start { data ->
        characters += data?.length ?: 1
        count()
    }
    while (events == 0L) Thread.sleep(10)
    spend(3.0)
    val before = Triple(events, cpuSeconds(), System.nanoTime())
    spend(2.0)
    val count = (events - before.first) / 1e6
    return mapOf("rate" to count / ((System.nanoTime() - before.third) / 1e9), "cpu" to (cpuSeconds() - before.second) / count)
}

/** From the server's write to the listener, in microseconds: both read the same clock. */
private fun latency(start: (Sink) -> Unit): Map<String, Double> {
    val samples = LongArray(2_500)
    start { data ->
        val now = System.nanoTime()
        val n = events - 500 // the first are for the compiler
        if (n in 0 until samples.size) samples[n.toInt()] = now - data!!.trim().toLong()
        count()
    }
    while (events < 500 + samples.size) Thread.sleep(50)
    samples.sort()
    return mapOf("p50" to samples[samples.size / 2] / 1e3, "p99" to samples[samples.size * 99 / 100] / 1e3)
}

/** CPU of 5,000 events that come one by one in 10 s, after a warm-up. */
private fun trickle(start: (Sink) -> Unit): Map<String, Double> {
    start { data ->
        characters += data!!.length
        count()
    }
    while (events < 750) Thread.sleep(50)
    val before = events to cpuSeconds()
    Thread.sleep(10_000)
    return mapOf("cpu" to (cpuSeconds() - before.second) * 5_000 / (events - before.first))
}

/** How memory grows while the listener blocks for 5 s in a flood. */
private fun blocked(start: (Sink) -> Unit): Map<String, Double> {
    start {
        if (events == 100_000L) Thread.sleep(60_000)
        count()
    }
    while (events < 100_000) Thread.sleep(10)
    Thread.sleep(1_000)
    val before = rssKilobytes()
    Thread.sleep(5_000)
    return mapOf("growth" to (rssKilobytes() - before) / 1024.0)
}

/** One of them. */
public object Client {
    /** The names of the clients. */
    public val names: List<String> = clients.keys.toList()

    @JvmStatic
    public fun main(arguments: Array<String>) {
        val (name, scenario, url) = arguments
        val start: (Sink) -> Unit = { sink -> clients.getValue(name)(url, sink) }
        val numbers =
            when (scenario) {
                "flood" -> flood(start)
                "latency" -> latency(start)
                "trickle" -> trickle(start)
                "blocked" -> blocked(start)
                else -> error("no scenario $scenario")
            }
        println(Gson().toJson(numbers))
        Runtime.getRuntime().halt(0)
    }
}
