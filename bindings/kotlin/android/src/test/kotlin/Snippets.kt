import android.app.Application
import android.content.Context
import io.github.libeventsource.Config
import io.github.libeventsource.EventSource
import io.github.libeventsource.android.mainExecutor
import io.github.libeventsource.android.pauseInBackground
import io.github.libeventsource.android.reconnectOnNetworkChange

/** README.md's Android part, compiled; ReadmeTest compares. */
class Snippets {
    fun android(
        context: Context,
        application: Application,
        listener: EventSource.Listener,
    ): List<AutoCloseable> {
        val source = EventSource("https://example.test/events", Config().executor(mainExecutor()).systemProxy())
        val network = source.reconnectOnNetworkChange(context)
        val lifecycle = source.pauseInBackground(application)
        source.start(listener)
        return listOf(source, network, lifecycle)
    }
}
