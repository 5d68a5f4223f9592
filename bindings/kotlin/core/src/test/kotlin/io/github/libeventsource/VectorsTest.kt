package io.github.libeventsource

import com.google.gson.JsonObject
import com.google.gson.JsonParser
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.TestInstance
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.MethodSource
import java.io.File
import java.net.URLEncoder

/** The streams of tests/vectors, over the wire: whole, byte by byte, cut at random. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class VectorsTest {
    private val server = TestServer.start()

    @AfterAll
    fun stop() = server.close()

    private fun vectors(): List<JsonObject> {
        val files = File(System.getenv("LIBEVENTSOURCE_ROOT"), "tests/vectors").listFiles { file -> file.extension == "json" }!!
        return files.sorted().flatMap { file -> JsonParser.parseReader(file.reader()).asJsonArray.map { it.asJsonObject } }
    }

    @ParameterizedTest
    @MethodSource("vectors")
    fun `a vector's stream means its events`(vector: JsonObject) { // rows 51 to 82
        val name = vector["name"].asString
        val expected = vector["items"].asJsonArray.map { it.asJsonObject }.filter { it["kind"].asString != "retry" }
        for (split in listOf("whole", "byte", "random&seed=1", "random&seed=2")) {
            var config = Config().reconnect(ReconnectMode.NEVER)
            vector["max_event_size"]?.let { config = config.maxEventSize(it.asLong) }
            val recorder = Recorder()
            val path = "/vectors/" + URLEncoder.encode(name, "UTF-8").replace("+", "%20")
            val events =
                EventSource(server.url("$path?split=$split"), config).use {
                    it.start(recorder)
                    recorder.untilClose()
                }
            assertEquals(expected.map(::itemText), events.mapNotNull(::eventText), "$name, $split")
            assertEquals(vector["last_event_id"].asString, events.last().lastEventId, "$name, $split")
        }
    }

    private fun itemText(item: JsonObject): String =
        when (item["kind"].asString) {
            "message" -> "message|${item["type"].asString}|${item["data"].asString}|${item["id"].asString}"
            "comment" -> "comment|${item["data"].asString}"
            else -> item["kind"].asString
        }

    private fun eventText(event: Event): String? =
        when (event) {
            is Event.Message -> "message|${event.type}|${event.data}|${event.lastEventId}"
            is Event.Comment -> "comment|${event.text}"
            is Event.Error -> if (event.kind == ErrorKind.EVENT_TOO_LARGE) "error-too-large" else null
            else -> null
        }
}
