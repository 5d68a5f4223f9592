import com.google.gson.Gson
import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import io.github.libeventsource.Config
import io.github.libeventsource.Event
import io.github.libeventsource.EventSource
import io.github.libeventsource.ReconnectMode
import java.io.IOException
import java.net.HttpURLConnection
import java.net.InetAddress
import java.net.InetSocketAddress
import java.net.Proxy
import java.net.URI
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.Executors
import java.util.concurrent.atomic.AtomicInteger
import kotlin.system.exitProcess

// The test service that LaunchDarkly's SSE contract tests drive: POST / begins a stream, whose events go to its callback URL.

/** The body of `POST /`. What is missing or null has the client's default. */
private class Order(
    val streamUrl: String?,
    val callbackUrl: String?,
    val initialDelayMs: Long?,
    val readTimeoutMs: Long?,
    val lastEventId: String?,
    val headers: Map<String, String>?,
    val method: String?,
    val body: String?,
) {
    fun source(): EventSource {
        // The tests expect of every method what they expect of GET.
        var config = Config().reconnect(ReconnectMode.ALWAYS)
        initialDelayMs?.let { config = config.retry(it, 30_000) }
        readTimeoutMs?.let { config = config.idleTimeout(it) }
        lastEventId?.let { config = config.lastEventId(it) }
        headers?.forEach { (name, value) -> config = config.header(name, value) }
        body?.let { config = config.body(it) }
        method?.let { config = config.method(it) }
        return EventSource(requireNotNull(streamUrl) { "no streamUrl" }, config)
    }
}

/** Tells the harness of each event in its turn; the stream waits until it has been heard. */
private class Teller(
    private val url: String,
) : EventSource.Listener {
    private var count = 0

    override fun onMessage(
        source: EventSource,
        event: Event.Message,
    ) {
        val message = mapOf("type" to event.type, "data" to event.data, "id" to event.lastEventId)
        tell(mapOf("kind" to "event", "event" to message))
    }

    override fun onComment(
        source: EventSource,
        event: Event.Comment,
    ) = tell(mapOf("kind" to "comment", "comment" to event.text))

    override fun onError(
        source: EventSource,
        event: Event.Error,
    ) = tell(mapOf("kind" to "error", "error" to event.message))

    private fun tell(callback: Map<String, Any>) {
        val bytes = Gson().toJson(callback).toByteArray()
        val connection = URI("$url/${++count}").toURL().openConnection(Proxy.NO_PROXY) as HttpURLConnection
        try {
            connection.requestMethod = "POST"
            connection.doOutput = true
            connection.setFixedLengthStreamingMode(bytes.size)
            connection.setRequestProperty("Content-Type", "application/json")
            connection.outputStream.use { it.write(bytes) }
            connection.responseCode
        } catch (_: IOException) {
            // the harness has gone; it will end this stream, or this program
        } finally {
            connection.disconnect()
        }
    }
}

private class Reply(
    val status: Int,
    val body: String = "",
    val location: String? = null,
)

private val streams = ConcurrentHashMap<Int, EventSource>()
private val made = AtomicInteger()

private const val CAPABILITIES =
    """["bom", "comments", "headers", "last-event-id", "post", "read-timeout", "report", "restart", "server-directed-shutdown-request"]"""

private fun begin(body: String): Reply {
    val order = Gson().fromJson(body, Order::class.java)
    val teller = Teller(requireNotNull(order.callbackUrl) { "no callbackUrl" })
    val source = order.source()
    val number = made.incrementAndGet()
    streams[number] = source
    source.start(teller)
    return Reply(201, location = "/streams/$number")
}

private fun command(
    source: EventSource,
    body: String,
): Reply {
    when (Gson().fromJson(body, Map::class.java)?.get("command")) {
        "restart" -> source.reconnect()
        "listen" -> Unit // every type is heard anyway
        else -> return Reply(400)
    }
    return Reply(200)
}

private fun answer(exchange: HttpExchange): Reply {
    val body = exchange.requestBody.readBytes().decodeToString()
    val path = exchange.requestURI.path
    val number = path.removePrefix("/streams/").toIntOrNull()
    return when {
        path == "/" && exchange.requestMethod == "GET" ->
            Reply(
                200,
                """{"name": "libeventsource (Kotlin)", "capabilities": $CAPABILITIES}""",
            )
        path == "/" && exchange.requestMethod == "DELETE" -> Reply(200)
        path == "/" && exchange.requestMethod == "POST" -> begin(body)
        exchange.requestMethod == "POST" -> streams[number ?: 0]?.let { command(it, body) } ?: Reply(404)
        exchange.requestMethod == "DELETE" -> streams.remove(number ?: 0)?.let { Reply(200).also { _ -> it.close() } } ?: Reply(404)
        else -> Reply(405)
    }
}

private fun serve(exchange: HttpExchange) {
    val reply =
        try {
            answer(exchange)
        } catch (ended: IllegalStateException) {
            // a stream that has just been closed
            Reply(404, ended.message.orEmpty())
        } catch (refused: RuntimeException) {
            // no JSON, or none that makes sense: a null where no null may be
            Reply(400, refused.message.orEmpty())
        }
    reply.location?.let { exchange.responseHeaders.add("Location", it) }
    val bytes = reply.body.toByteArray()
    exchange.sendResponseHeaders(reply.status, if (bytes.isEmpty()) -1 else bytes.size.toLong())
    exchange.responseBody.write(bytes)
    exchange.close()
    if (exchange.requestMethod == "DELETE" && exchange.requestURI.path == "/") exitProcess(0)
}

public fun main(arguments: Array<String>) {
    val port = arguments.singleOrNull()?.toIntOrNull() ?: error("usage: ContractService PORT")
    val server = HttpServer.create(InetSocketAddress(InetAddress.getByName("127.0.0.1"), port), 64)
    server.executor = Executors.newCachedThreadPool()
    server.createContext("/", ::serve)
    server.start()
    println("listening on 127.0.0.1:${server.address.port}")
}
