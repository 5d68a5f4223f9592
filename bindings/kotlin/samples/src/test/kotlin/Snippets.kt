import io.github.libeventsource.Config
import io.github.libeventsource.Event
import io.github.libeventsource.EventSource
import io.github.libeventsource.coroutines.events
import kotlinx.coroutines.flow.filterIsInstance

/** README.md's Kotlin, compiled; ReadmeTest compares. */
object Snippets {
    fun first(token: String) {
        val source = EventSource("https://example.test/events", Config().header("Authorization", "Bearer $token"))
        source.start(
            object : EventSource.Listener {
                override fun onMessage(
                    source: EventSource,
                    event: Event.Message,
                ) = println("${event.type}: ${event.data}")
            },
        )
        // ... and once you have had enough:
        source.close()
    }

    suspend fun flow() {
        EventSource
            .events("https://example.test/events")
            .filterIsInstance<Event.Message>()
            .collect { println(it.data) }
    }

    fun tokens(fetchToken: () -> String) {
        val config = Config().headers { _, _ -> mapOf("Authorization" to "Bearer ${fetchToken()}") }
        val source = EventSource("https://example.test/events", config)
        source.start(
            object : EventSource.Listener {
                override fun onError(
                    source: EventSource,
                    event: Event.Error,
                ) {
                    if (event.httpStatus == 401) source.retry(0)
                }
            },
        )
    }
}
