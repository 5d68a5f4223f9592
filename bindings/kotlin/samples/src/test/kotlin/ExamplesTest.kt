import io.github.libeventsource.DEADLINE_MS
import io.github.libeventsource.TestServer
import io.github.libeventsource.TestServer.Companion.body
import io.github.libeventsource.TestServer.Companion.endless
import io.github.libeventsource.TestServer.Companion.status
import io.github.libeventsource.TestServer.Companion.stream
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.util.concurrent.TimeUnit

/** The programs of examples/, each in a VM of its own. */
class ExamplesTest {
    private val server = TestServer.start()

    @AfterEach
    fun stop() = server.close()

    private fun start(
        main: String,
        vararg arguments: String,
    ): Process {
        val java = File(System.getProperty("java.home"), "bin/java").path
        // As in a terminal: whoever runs the tests in the background ignores SIGINT, which is inherited, and then the VM does, too.
        val terminal = listOf("env", "--default-signal=INT").takeIf { System.getProperty("os.name") == "Linux" }.orEmpty()
        val command = ProcessBuilder(terminal + listOf(java, "-cp", System.getProperty("java.class.path"), main) + arguments)
        command.environment()["LC_ALL"] = "C" // texts are UTF-8 even so
        return command.start()
    }

    private fun Process.ended(): Int {
        assertTrue(waitFor(DEADLINE_MS, TimeUnit.MILLISECONDS), "hangs")
        return exitValue()
    }

    private fun Process.out() = inputStream.readBytes().decodeToString()

    private fun Process.err() = errorStream.readBytes().decodeToString()

    @Test
    fun `tail prints events and ends with the stream`() {
        server.on("/events", listOf("sse", body("id: 1\ndata: a\n\n:c\n\nevent: x\ndata: grün 😀\n\n"), "reset"), status(204))
        val tail = start("TailKt", "-v", "-H", "X-A:  b:c", "-X", "REPORT", "-d", "body", server.url("/events"))
        assertEquals("message: a\nx: grün 😀\n", tail.out())
        val told = tail.err()
        assertEquals(1, tail.ended(), told) // a REPORT is not sent again
        val expected =
            listOf("* connect ${server.url("/events")}", "* open ${server.url("/events")}", ":c", "* error: ", "* close: ", "tail: ")
        assertEquals(expected.size, told.lines().size - 1, told)
        for ((line, begin) in told.lines().zip(expected)) assertTrue(line.startsWith(begin), line)
        val request = server.requests().single()
        assertEquals("REPORT", request.method)
        assertEquals("body", request.body)
        assertEquals("b:c", request.header("X-A"))

        val again = start("TailKt", server.url("/events"))
        assertEquals("", again.out())
        assertEquals(0, again.ended())
    }

    @Test
    fun `tail ends well when it is interrupted`() {
        server.on("/events", stream("data: a\n\n"))
        val tail = start("TailKt", server.url("/events"))
        assertEquals("message: a", tail.inputStream.bufferedReader().readLine())
        ProcessBuilder("kill", "-INT", "${tail.pid()}").start().waitFor()
        assertEquals(0, tail.ended())
    }

    @Test
    fun `tail ends when nobody reads what it prints`() {
        server.on("/events", listOf("sse", endless("data: a\n\n")))
        val tail = start("TailKt", server.url("/events"))
        tail.inputStream.bufferedReader().readLine()
        tail.inputStream.close()
        assertEquals(0, tail.ended())
    }

    @Test
    fun `tail says what is wrong with its arguments`() {
        for (arguments in listOf(arrayOf(), arrayOf("-x", "u"), arrayOf("ftp://x"), arrayOf("-H", "nocolon", "http://x"), arrayOf("-X"))) {
            val tail = start("TailKt", *arguments)
            assertTrue(tail.err().startsWith("tail: "))
            assertEquals(2, tail.ended())
        }
    }

    @Test
    fun `its Java twin`() {
        server.on("/events", listOf("sse", body("data: grün 😀\n\n"), "reset"), status(204))
        val tail = start("Tail", server.url("/events"))
        assertEquals("message: grün 😀\n", tail.out())
        assertEquals(0, tail.ended())
    }
}
