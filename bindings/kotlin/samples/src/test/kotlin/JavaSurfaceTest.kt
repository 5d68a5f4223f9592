import io.github.libeventsource.Config
import io.github.libeventsource.EventSource
import io.github.libeventsource.TestServer
import io.github.libeventsource.TestServer.Companion.body
import io.github.libeventsource.TestServer.Companion.status
import io.github.libeventsource.eventually
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.Collections
import java.util.concurrent.Executors

class JavaSurfaceTest {
    @Test
    fun `a stream from Java`() {
        TestServer.start().use { server ->
            server.on("/events", status(404, text = "no"), listOf("sse", body(":c\nid: 1\ndata: a\n\n"), "reset"), status(204))
            val notes = Collections.synchronizedList(ArrayList<String>())
            val pool = Executors.newSingleThreadExecutor()
            val config = JavaSurface.config(pool, ByteArray(0)).standardStatus(false).lastEventId("0")
            EventSource(server.url("/events"), config).use { source ->
                assertTrue(JavaSurface.drive(source, server.url("/events")))
                source.start(JavaSurface.Noting(notes))
                eventually("closed") { notes.lastOrNull()?.startsWith("close") == true }
            }
            pool.shutdown()
            assertEquals(
                listOf(
                    "connect 0",
                    "error HTTP_STATUS CLOSED 404 no",
                    "connect 0",
                    "open content-type text/event-stream",
                    "comment c",
                    "message a 1",
                    "error IO CONNECTING 200 ",
                    "connect 1",
                    "close ENDED 204",
                ),
                notes,
            )
            val request = server.requests()[0]
            assertEquals("POST", request.method)
            assertEquals(server.url("/events"), request.header("X-Url"))
        }
    }

    @Test
    fun `batches, later headers and certificates from Java`() {
        TestServer.start().use { server ->
            server.on("/events", status(204))
            val types = Collections.synchronizedList(ArrayList<String>())
            EventSource(server.url("/events"), JavaSurface.later(Config())).use { source ->
                JavaSurface.batches(source, types)
                eventually("closed") { types.lastOrNull() == "Close" }
            }
            assertEquals(listOf("Connect", "Close"), types)
            assertThrows(IllegalArgumentException::class.java) { JavaSurface.trust(Config(), ByteArray(0), "") }
        }
    }
}
