/*
 * tail: follows an event stream and prints what it says, until the server ends it or you press Ctrl-C.
 *
 *   cargo build --release && (cd bindings/kotlin && mvn -q -DskipTests install)
 *   kotlinc examples/tail.kt -cp target/kotlin/eventsource/eventsource-0.1.0.jar -include-runtime -d tail.jar
 *   java -cp tail.jar:target/kotlin/eventsource/eventsource-0.1.0.jar TailKt [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL
 *
 * Each event is a line 'type: data' on stdout. With -v, what happens around the events is told on stderr: attempts, comments,
 * errors. Exit status: 0 the server ended the stream or Ctrl-C was pressed, 1 the stream failed for good, 2 wrong usage.
 */
import io.github.libeventsource.Config
import io.github.libeventsource.ErrorKind
import io.github.libeventsource.Event
import io.github.libeventsource.EventSource
import java.io.FileDescriptor
import java.io.FileOutputStream
import java.io.PrintStream
import java.util.concurrent.CompletableFuture
import kotlin.system.exitProcess

private const val USAGE = "usage: tail [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL"

private class Printer(
    private val verbose: Boolean,
) : EventSource.Listener {
    // UTF-8 as it came, whatever the locale.
    private val out = PrintStream(FileOutputStream(FileDescriptor.out), true, "UTF-8")

    /** The exit status, once it is known. */
    val status = CompletableFuture<Int>()

    override fun onConnect(
        source: EventSource,
        event: Event.Connect,
    ) = tell("* connect ${event.url}" + if (event.lastEventId.isEmpty()) "" else " after ${event.lastEventId}")

    override fun onOpen(
        source: EventSource,
        event: Event.Open,
    ) = tell("* open ${event.url}")

    override fun onMessage(
        source: EventSource,
        event: Event.Message,
    ) {
        out.print("${event.type}: ${event.data}\n")
        if (out.checkError()) source.close() // nobody reads on
    }

    override fun onComment(
        source: EventSource,
        event: Event.Comment,
    ) = tell(":${event.text}")

    override fun onError(
        source: EventSource,
        event: Event.Error,
    ) = tell("* error: ${event.message}" + if (event.retryMs < 0) "" else "; trying again in ${event.retryMs} ms")

    override fun onClose(
        source: EventSource,
        event: Event.Close,
    ) {
        tell("* close: ${event.message}")
        val wanted = event.kind == ErrorKind.NONE || event.kind == ErrorKind.ENDED // by us, by the server
        if (!wanted) System.err.println("tail: ${event.message}")
        status.complete(if (wanted) 0 else 1)
    }

    private fun tell(line: String) {
        if (verbose) System.err.println(line)
    }
}

fun main(arguments: Array<String>) {
    var config = Config()
    var url: String? = null
    var verbose = false
    try {
        val rest = arguments.iterator()
        while (rest.hasNext()) {
            when (val argument = rest.next()) {
                "-v" -> verbose = true
                "-H" -> config = rest.next().split(":", limit = 2).let { (name, value) -> config.header(name, value.trimStart()) }
                "-X" -> config = config.method(rest.next())
                "-d" -> config = config.body(rest.next())
                else -> url = argument.takeIf { url == null && !it.startsWith("-") } ?: throw NoSuchElementException()
            }
        }
        val source = EventSource(url ?: throw NoSuchElementException(), config)
        val printer = Printer(verbose)
        // Ctrl-C begins the VM's end, in which only hooks still run.
        val interrupted =
            Thread {
                source.close()
                Runtime.getRuntime().halt(printer.status.get())
            }
        Runtime.getRuntime().addShutdownHook(interrupted)
        source.start(printer)
        val status = printer.status.get()
        Runtime.getRuntime().halt(status)
    } catch (_: NoSuchElementException) {
        System.err.println("tail: $USAGE")
    } catch (_: IndexOutOfBoundsException) {
        System.err.println("tail: a header is 'Name: value'")
    } catch (refused: IllegalArgumentException) {
        System.err.println("tail: ${refused.message}")
    }
    exitProcess(2)
}
