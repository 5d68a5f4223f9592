package io.github.libeventsource

/**
 * A stream of Server-Sent Events that connects again until it is closed.
 *
 * ```
 * val source = EventSource("https://example.test/events")
 * source.start(object : EventSource.Listener {
 *     override fun onMessage(source: EventSource, event: Event.Message) = println(event.data)
 * })
 * ```
 *
 * All functions may be called from any thread, the listener's included; none blocks. After [close] all but [close] and
 * [state] throw [IllegalStateException]; where the stream has ended by itself they return false. Keep a reference for as
 * long as you want the stream: a source that nobody refers to any more is closed, without further events.
 *
 * @constructor Does no I/O. Throws [IllegalArgumentException] where the URL will not do, or the config not with it. International hosts
 * are converted with [java.net.IDN].
 */
public class EventSource
    @JvmOverloads
    constructor(
        url: String,
        /** How this source connects. */
        public val config: Config = Config(),
    ) : AutoCloseable {
        /** What happens. Called one event at a time, on the config's executor or the stream's own thread. */
        public interface Listener {
            /** An attempt is about to begin. [Config.headers] has been asked and has answered, [Config.asyncHeaders] has been asked. */
            public fun onConnect(
                source: EventSource,
                event: Event.Connect,
            ) {}

            /** The stream is open. */
            public fun onOpen(
                source: EventSource,
                event: Event.Open,
            ) {}

            /** A message of the server, of whatever type. */
            public fun onMessage(
                source: EventSource,
                event: Event.Message,
            ) {}

            /** A comment of the server. */
            public fun onComment(
                source: EventSource,
                event: Event.Comment,
            ) {}

            /** A failure; [EventSource.retry] called from here decides how it goes on. */
            public fun onError(
                source: EventSource,
                event: Event.Error,
            ) {}

            /** The end. Called once, and last. */
            public fun onClose(
                source: EventSource,
                event: Event.Close,
            ) {}
        }

        /** Gets events as they come off the network, many at once in a burst: for those who pass them on. */
        public fun interface BatchListener {
            /**
             * Called on the stream's own thread, whatever the config's executor. Nothing more is read until this returns, which is
             * the way to slow the server down. Iterate once; what has not been iterated when the source is closed, or when this
             * returns or throws, is dropped.
             */
            public fun onEvents(
                source: EventSource,
                events: Iterable<Event>,
            )
        }

        internal val stream = Stream(url, config)

        init {
            try {
                Reaper.watch(this, stream)
            } catch (exhausted: Throwable) {
                stream.close() // no memory or thread to watch it with
                throw exhausted
            }
        }

        /**
         * Calls [action] once, when all is over: after [Listener.onClose], where there is an executor after it has been given that, and
         * where the source was never started after [close]; at once if it is over. For what lives as long as a source. On the
         * thread that ends it, so it has to be quick; what it throws is lost. It must not refer to the source, which would then
         * never be collected. Closing what is returned takes the action back.
         */
        public fun onEnd(action: Runnable): AutoCloseable = stream.onEnd(action)

        /** What the source is doing; CLOSED as soon as [close] has been called. */
        public val state: State
            get() = stream.state()

        /** Connects and delivers events to [listener]. Once only. */
        public fun start(listener: Listener): Unit = stream.start(this, ListenerSink(listener, config))

        /** Connects and delivers events to [listener] in batches. Once only. */
        public fun start(listener: BatchListener): Unit = stream.start(this, BatchSink(listener, config, stream))

        /** Disconnects and keeps the place in the stream; no flow control. Before [start]: starts paused. */
        public fun pause(): Boolean = stream.interrupt(Native.PAUSE)

        /** Connects again after [pause], at once. */
        public fun resume(): Boolean = stream.interrupt(Native.RESUME, from = State.PAUSED)

        /** The network has changed: drops the connection, forgets all waiting and connects at once. */
        public fun reconnect(): Boolean = stream.interrupt(Native.RECONNECT)

        /**
         * Answers an error, final or not, from within [Listener.onError]: try again after [delayMs], -1 for the library's own wait.
         * False if there is no error to answer.
         */
        public fun retry(delayMs: Long): Boolean = stream.call(Native.RETRY, delayMs)

        /** Answers a [Event.Connect]: this attempt cannot be made. It becomes an [ErrorKind.APPLICATION] error. */
        public fun fail(reason: String): Boolean = stream.fail(reason)

        /**
         * Where to connect from the next attempt on; credentials in it included, the last event ID stays. Between an [Event.Connect]
         * and its attempt it counts for that one, for which a provider that has been asked is not asked again: [reconnect] does. Throws
         * [IllegalArgumentException] where the URL will not do, or Android's cleartext policy forbids it.
         */
        public fun setUrl(url: String): Boolean = stream.setUrl(url)

        /** A header from the next attempt on; null takes it back. Refused with [IllegalArgumentException] as by [Config.header]. */
        public fun setHeader(
            name: String,
            value: String?,
        ): Boolean = stream.setHeader(Native.SET_HEADER, name, value)

        /** As [setHeader], and never follows a redirect to another origin. */
        public fun setSecretHeader(
            name: String,
            value: String?,
        ): Boolean = stream.setHeader(Native.SET_SECRET_HEADER, name, value)

        /**
         * Ends the stream. Returns at once; twice is fine. Only [Listener.onClose] is called from then on, but a call already begun
         * on another thread may still finish.
         */
        override fun close() {
            stream.close()
        }

        /** What concerns the library as a whole. */
        public companion object {
            /** The version of the native library. */
            @JvmStatic
            public val version: String
                get() = Native.text(Native.version())

            /**
             * Lets the native library write what it does to standard error, on Android to logcat: 0 nothing, 1 errors, 2 warnings,
             * 3 information, 4 details. For the whole process. Never holds the value of a header.
             */
            @JvmStatic
            public fun setLogLevel(level: Int) {
                val status = Native.setLog(level)
                if (status != Native.OK) throw Native.refusal(status, "")
            }
        }
    }
