import io.github.libeventsource.Config
import io.github.libeventsource.Event
import io.github.libeventsource.EventSource
import io.github.libeventsource.ReconnectMode
import java.net.URLDecoder
import java.net.URLEncoder
import java.util.concurrent.CountDownLatch

// The Kotlin class as a conformance runner; ../../../../../README.md has the protocol.

private fun say(vararg words: Any) = println(words.joinToString(" ") { URLEncoder.encode("$it", "UTF-8").ifEmpty { "%" } })

private fun words(line: String) = line.split(' ').map { if (it == "%") "" else URLDecoder.decode(it, "UTF-8") }

private fun Config.set(words: List<String>): Config {
    val (key, value) = words + ""
    return when (key) {
        "header" -> header(value, words[2])
        "secret_header" -> secretHeader(value, words[2])
        "method" -> method(value)
        "body" -> body(value)
        "last_event_id" -> lastEventId(value)
        "retry" -> retry(value.toLong(), words[2].toLong())
        "max_retries" -> maxRetries(value.toInt())
        "reconnect" -> reconnect(ReconnectMode.valueOf(value.uppercase()))
        "standard_status" -> standardStatus(true)
        "response_timeout" -> responseTimeout(value.toLong())
        "idle_timeout" -> idleTimeout(value.toLong())
        "max_event_size" -> maxEventSize(value.toLong())
        "compression" -> compression(true)
        else -> this.also { say("lacks", key) }
    }
}

private fun act(
    source: EventSource,
    words: List<String>,
) {
    when (words[0]) {
        "close" -> source.close()
        "reconnect" -> source.reconnect()
        "pause" -> source.pause()
        "resume" -> source.resume()
        "retry" -> source.retry(words[1].toLong())
        else -> error("no action $words")
    }
}

/** Says what happens, once it has done what was to be done in that event. */
private class Hearer(
    private val rules: List<List<String>>,
) : EventSource.Listener {
    private val counts = HashMap<String, Int>()
    val closed = CountDownLatch(1)

    private fun hear(
        source: EventSource,
        kind: String,
        event: Event,
        vararg fields: Any,
    ) {
        val count = (counts[kind] ?: 0) + 1
        counts[kind] = count
        for (rule in rules) if (rule[0] == kind && rule[1].toInt() == count) act(source, rule.drop(2))
        say(kind, "id", event.lastEventId, "url", event.url, *fields)
    }

    override fun onConnect(
        source: EventSource,
        event: Event.Connect,
    ) = hear(source, "connect", event)

    override fun onOpen(
        source: EventSource,
        event: Event.Open,
    ) = hear(source, "open", event)

    override fun onMessage(
        source: EventSource,
        event: Event.Message,
    ) = hear(source, "message", event, "type", event.type, "data", event.data)

    override fun onComment(
        source: EventSource,
        event: Event.Comment,
    ) = hear(source, "comment", event, "data", event.text)

    override fun onError(
        source: EventSource,
        event: Event.Error,
    ) = hear(source, "error", event, "error", event.kind, "status", event.httpStatus, "state", event.state, "retry", event.retryMs)

    override fun onClose(
        source: EventSource,
        event: Event.Close,
    ) {
        hear(source, "close", event, "error", event.kind, "status", event.httpStatus)
        closed.countDown()
    }
}

public fun main() {
    val sets = ArrayList<List<String>>()
    val rules = ArrayList<List<String>>()
    var url = ""
    var source: EventSource? = null
    var hearer: Hearer? = null
    for (line in generateSequence(::readLine)) {
        val words = words(line)
        when (words[0]) {
            "set" -> if (words[1] == "url") url = words[2] else sets += words.drop(1)
            "on" -> rules += words.drop(1)
            "do" -> act(source!!, words.drop(1))
            "start" ->
                try {
                    source = EventSource(url, sets.fold(Config(), Config::set))
                    hearer = Hearer(rules.toList()).also { source.start(it) }
                } catch (_: IllegalArgumentException) {
                    say("refused")
                }
            "end" -> {
                source?.close()
                hearer?.closed?.await()
                source = null
                hearer = null
                sets.clear()
                rules.clear()
                say("ended")
            }
        }
    }
}
