package io.github.libeventsource

import com.google.gson.Gson
import com.google.gson.JsonArray
import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import java.net.HttpURLConnection
import java.net.Proxy
import java.net.URI
import java.util.Base64

/** A request that the test server has recorded. */
class Seen(
    private val json: JsonObject,
) {
    val method: String get() = json["method"].asString
    val target: String get() = json["target"].asString
    val body: String get() = json["body"].asString
    val connection: Int get() = json["connection"].asInt
    val rawHead: String get() = json["raw_head"].asString

    fun header(name: String): String? = all(name).singleOrNull()

    fun all(name: String): List<String> =
        json["headers"]
            .asJsonArray
            .map { it.asJsonArray }
            .filter { it[0].asString.equals(name, ignoreCase = true) }
            .map { it[1].asString }
}

/** One server of the shared test server program, which is started once for this VM. tests/server/README.md has its calls. */
class TestServer private constructor(
    private val description: JsonObject,
) : AutoCloseable {
    private val number = description["server"].asInt

    val port: Int get() = description["port"].asInt
    val caPem: ByteArray get() = description["ca_pem"].asString.toByteArray()
    val leafPin: String get() = description["leaf_pin"].asString

    fun url(path: String): String = description["url"].asString + path

    fun urlByName(path: String): String = description["url_by_name"].asString + path

    /** Answers requests for [path] with [scripts], each a list of steps, in turn; the last is repeated. */
    fun on(
        path: String,
        vararg scripts: List<Any>,
    ) {
        call("on", mapOf("path" to path, "replies" to scripts.toList()))
    }

    fun onEveryConnection(vararg steps: Any) {
        call("on_every_connection", mapOf("steps" to steps.toList()))
    }

    fun go(name: String) {
        call("go", mapOf("name" to name))
    }

    fun waitUntilTold(name: String) {
        call("wait_until_told", mapOf("name" to name))
    }

    fun requests(): List<Seen> = call("requests").asJsonArray.map { Seen(it.asJsonObject) }

    fun waitForRequests(n: Int): List<Seen> = call("wait_for_requests", mapOf("n" to n)).asJsonArray.map { Seen(it.asJsonObject) }

    fun waitForOpen(n: Int) {
        call("wait_for_open", mapOf("n" to n, "timeout_ms" to 60_000))
    }

    fun connections(): JsonArray = call("connections").asJsonArray

    fun dropConnections() {
        call("drop_connections")
    }

    fun refuse() {
        call("refuse")
    }

    fun listen() {
        call("listen")
    }

    fun stopAccepting() {
        call("stop_accepting")
    }

    fun clientIdentity(name: String): ByteArray = call("client_identity", mapOf("name" to name)).asString.toByteArray()

    /** Stops it. Fails if a script did. */
    override fun close() {
        val problems = call("stop").asJsonArray
        check(problems.isEmpty) { "test server: $problems" }
    }

    private fun call(
        name: String,
        arguments: Map<String, Any> = emptyMap(),
    ): JsonElement = post("/$number/$name", arguments)

    companion object {
        private val program: Process by lazy {
            val root = System.getenv("LIBEVENTSOURCE_ROOT")
            val path = System.getenv("LIBEVENTSOURCE_TEST_SERVER") ?: "$root/target/debug/eventsource-test-server"
            ProcessBuilder(path).redirectError(ProcessBuilder.Redirect.INHERIT).start() // it ends with our end of its input
        }
        private val control: String by lazy {
            program.inputStream
                .bufferedReader()
                .readLine()
                .substringAfter(" CONTROL ")
        }

        fun start(tls: Map<String, Any>? = null): TestServer {
            val arguments = if (tls == null) emptyMap() else mapOf("tls" to tls)
            return TestServer(post("/start", arguments).asJsonObject)
        }

        private fun post(
            path: String,
            arguments: Map<String, Any>,
        ): JsonElement {
            val connection = URI(control + path).toURL().openConnection(Proxy.NO_PROXY) as HttpURLConnection
            connection.requestMethod = "POST"
            connection.doOutput = true
            connection.outputStream.use { it.write(Gson().toJson(arguments).toByteArray()) }
            val ok = connection.responseCode == 200
            val text = (if (ok) connection.inputStream else connection.errorStream).use { it.readBytes().decodeToString() }
            check(ok) { "test server, $path: $text" }
            return JsonParser.parseString(text)
        }

        // ---- steps ----

        fun body(text: String): Map<String, Any> = mapOf("body" to text)

        fun body(bytes: ByteArray): Map<String, Any> = mapOf("body" to base64(bytes))

        fun bytewise(bytes: ByteArray): Map<String, Any> = mapOf("trickle" to mapOf("bytes" to base64(bytes)))

        /** [unit] that many times: what would be large as JSON. */
        fun repeated(
            unit: String,
            times: Int,
        ): Map<String, Any> = mapOf("body" to mapOf("repeat" to unit, "times" to times))

        fun endless(unit: String): Map<String, Any> = mapOf("endless" to mapOf("unit" to unit, "limit" to Int.MAX_VALUE))

        fun waitFor(name: String): Map<String, Any> = mapOf("wait_for" to name)

        fun tell(name: String): Map<String, Any> = mapOf("tell" to name)

        fun redirect(
            status: Int,
            location: String,
        ): Map<String, Any> = mapOf("redirect" to listOf(status, location))

        /** A whole response with no body. */
        fun status(
            status: Int,
            vararg headers: Pair<String, String>,
            text: String = "",
        ): List<Any> =
            listOf(mapOf("head" to mapOf("status" to status, "headers" to pairs(headers), "length" to text.length)), body(text), "end")

        /** The head of an event stream with further headers. */
        fun sse(vararg headers: Pair<String, String>): Map<String, Any> = mapOf("sse" to mapOf("headers" to pairs(headers)))

        /** An event stream of [text] that stays open. */
        fun stream(text: String): List<Any> = listOf("sse", body(text), "stall")

        private fun base64(bytes: ByteArray) = mapOf("base64" to Base64.getEncoder().encodeToString(bytes))

        private fun pairs(headers: Array<out Pair<String, String>>) = headers.map { listOf(it.first, it.second) }
    }
}
