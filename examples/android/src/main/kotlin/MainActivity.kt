package example.tail

import android.app.Activity
import android.os.Bundle
import android.widget.TextView
import io.github.libeventsource.Config
import io.github.libeventsource.Event
import io.github.libeventsource.EventSource
import io.github.libeventsource.android.mainExecutor
import io.github.libeventsource.android.reconnectOnNetworkChange
import kotlin.concurrent.thread

private const val ADDRESS = "https://stream.wikimedia.org/v2/stream/recentchange"

/** Shows the latest message of a stream, and lets C++ follow the same one, whose messages are in the log. */
class MainActivity : Activity() {
    private val resources = mutableListOf<AutoCloseable>()
    private var tail = 0L
    private var follower: Thread? = null

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val view = TextView(this).also { setContentView(it) }
        val source = EventSource(ADDRESS, Config().executor(mainExecutor()))
        resources += source
        resources += source.reconnectOnNetworkChange(this)
        source.start(
            object : EventSource.Listener {
                override fun onMessage(
                    source: EventSource,
                    event: Event.Message,
                ) {
                    view.text = event.data
                }

                override fun onError(
                    source: EventSource,
                    event: Event.Error,
                ) {
                    view.text = event.message
                }
            },
        )
        tail = open(ADDRESS)
        val number = tail
        if (number != 0L) follower = thread { follow(number) }
    }

    override fun onDestroy() {
        resources.forEach { it.close() }
        if (tail != 0L) {
            close(tail) // ends what the follower waits for, whatever that is
            follower?.join()
            free(tail)
        }
        super.onDestroy()
    }

    private companion object {
        init {
            System.loadLibrary("tail")
        }

        /** A stream of tail.cpp's, 0 where there is none. */
        @JvmStatic external fun open(address: String): Long

        /** Logs its messages until it is closed. */
        @JvmStatic external fun follow(tail: Long)

        @JvmStatic external fun close(tail: Long)

        /** Only once nobody uses it. */
        @JvmStatic external fun free(tail: Long)
    }
}
