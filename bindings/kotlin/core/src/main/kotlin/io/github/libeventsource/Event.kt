package io.github.libeventsource

/** Why an [Event.Error] or [Event.Close] happened. Few values: each is one that a program does something different about. */
public enum class ErrorKind {
    /** Nothing is wrong: the event is no failure, or you asked for the close. */
    NONE,

    /** The stream ended: the server finished the response, or said with 204 that there is nothing more. */
    ENDED,

    /** The host's name could not be looked up. */
    DNS,

    /** No address of the host accepted a connection. */
    CONNECT,

    /** The TLS handshake failed, or the certificate did not verify. */
    TLS,

    /** The proxy refused, or could not reach the server. */
    PROXY,

    /** The connection broke, or what came over it was not HTTP. */
    IO,

    /** One of the configured timeouts passed. */
    TIMED_OUT,

    /** The server answered with a status that does not open a stream. */
    HTTP_STATUS,

    /** The server answered 200 with another type than `text/event-stream`. */
    CONTENT_TYPE,

    /** The response has a content coding that was not asked for and is not known. */
    ENCODING,

    /** A redirect led nowhere: too many, no usable Location, or from https to http. */
    REDIRECT,

    /** One event was larger than [Config.maxEventSize], or than memory allows. The stream goes on. */
    EVENT_TOO_LARGE,

    /** The application refused the attempt: [EventSource.fail], or a provider of headers that failed. */
    APPLICATION,

    /** A fault in this library. Please report it. */
    INTERNAL,
    ;

    internal companion object {
        private val all = values()

        fun of(number: Int): ErrorKind = all.getOrElse(number) { INTERNAL }
    }
}

/** What an [EventSource] is doing. */
public enum class State {
    /** Connecting, or waiting to connect again. */
    CONNECTING,

    /** Connected: events come. */
    OPEN,

    /** Over, and it stays so. */
    CLOSED,

    /** Disconnected until [EventSource.resume]. */
    PAUSED,
    ;

    internal companion object {
        private val all = values()

        fun of(number: Int): State = all.getOrElse(number) { CLOSED }
    }
}

/**
 * Something that happened to an [EventSource], in this order:
 * `(Connect [Open (Message | Comment | Error too large)*] [Error])* Close`.
 *
 * Events are immutable and may be kept and passed to any thread. Texts are decoded when they are first asked for, in a burst
 * also once messages have been asked for their data; an event that is kept keeps the bytes it came with, 16 KiB at most or
 * its own size.
 */
public sealed class Event private constructor(
    internal val batch: Batch,
    internal val at: Int,
) {
    /** The last event ID as this event sees it; of a [Connect], the one that will be sent. "" if there is none. */
    public val lastEventId: String
        get() = batch.id(at)

    /** Where the stream comes from after redirects; before that, where to; after that, the last URL tried. Never with userinfo. */
    public val url: String
        get() = batch.url(at)

    /** For logs. */
    override fun toString(): String =
        when (this) {
            is Connect -> "connect $url"
            is Open -> "open $url"
            is Message -> "message $type: $data"
            is Comment -> "comment: $text"
            is Error -> "error $kind: $message"
            is Close -> "close $kind: $message"
        }

    /** An attempt is about to begin. What is set with [EventSource.setHeader] and [EventSource.setUrl] now goes with it. */
    public class Connect internal constructor(
        batch: Batch,
        at: Int,
    ) : Event(batch, at)

    /** The stream is open. */
    public class Open internal constructor(
        batch: Batch,
        at: Int,
    ) : Event(batch, at) {
        /** The response's headers in the order they came, each a name and a value. */
        public val headers: List<Map.Entry<String, String>>
            get() = batch.headers(at)

        /** The first header of that name, in any case of letters. */
        public fun header(name: String): String? = find(headers, name)
    }

    /** A message of the server. */
    public class Message internal constructor(
        batch: Batch,
        at: Int,
        private var decoded: String?,
    ) : Event(batch, at) {
        /** Its type: "message" unless the server names another. */
        public val type: String
            get() = batch.type(at)

        /** Its data; lines are joined with a line feed. */
        public val data: String
            get() {
                if (!batch.isRead) batch.isRead = true
                return decoded ?: batch.item(at).also { decoded = it }
            }
    }

    /** A comment of the server, often no more than a sign of life. */
    public class Comment internal constructor(
        batch: Batch,
        at: Int,
        private val decoded: String?,
    ) : Event(batch, at) {
        /** What stands after the colon, untrimmed. */
        public val text: String
            get() = decoded ?: batch.item(at)
    }

    /** An attempt failed or a stream broke. Another attempt follows in [retryMs], unless that is -1. Answer with [EventSource.retry]. */
    public class Error internal constructor(
        batch: Batch,
        at: Int,
    ) : Event(batch, at) {
        /** What kind of failure. */
        public val kind: ErrorKind
            get() = batch.error(at)

        /** The reason in words, for people. */
        public val message: String
            get() = batch.reason(at)

        /** CONNECTING if another attempt follows, CLOSED if not, OPEN if only one event was too large. */
        public val state: State
            get() = batch.state(at)

        /** The HTTP status, 407 for a proxy's refusal, or 0. */
        public val httpStatus: Int
            get() = batch.httpStatus(at)

        /** How long the library will wait, exactly; -1: no attempt follows. */
        public val retryMs: Long
            get() = batch.retryMs(at)

        /** The refused response's headers, if there was a response. */
        public val headers: List<Map.Entry<String, String>>
            get() = batch.headers(at)

        /** The first 4 KiB of the refused response's body. */
        public val body: String
            get() = batch.body(at)

        /** The first header of that name, in any case of letters. */
        public fun header(name: String): String? = find(headers, name)
    }

    /** The source is closed. Always the last event, and exactly one. */
    public class Close internal constructor(
        batch: Batch,
        at: Int,
    ) : Event(batch, at) {
        /** NONE: you asked for it. ENDED: 204, or the end of a stream that does not reconnect. Else the final error's kind. */
        public val kind: ErrorKind
            get() = batch.error(at)

        /** The reason in words, for people. */
        public val message: String
            get() = batch.reason(at)

        /** The last HTTP status, or 0. */
        public val httpStatus: Int
            get() = batch.httpStatus(at)
    }

    private companion object {
        fun find(
            headers: List<Map.Entry<String, String>>,
            name: String,
        ): String? = headers.firstOrNull { it.key.equals(name, ignoreCase = true) }?.value
    }
}
