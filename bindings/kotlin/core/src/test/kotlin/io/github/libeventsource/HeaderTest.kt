package io.github.libeventsource

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import java.lang.reflect.Modifier

/** What include/eventsource.h offers is offered here, under the same names: neither can drift from the other. */
class HeaderTest {
    private val root = File(System.getenv("LIBEVENTSOURCE_ROOT"))
    private val header =
        root
            .resolve("include/eventsource.h")
            .readLines()
            .filterNot { it.startsWith("//") }
            .joinToString("\n")

    private fun names(pattern: String): List<String> = Regex(pattern).findAll(header).map { it.groupValues[1] }.toList()

    /** TIMED_OUT of EVENTSOURCE_ERROR_TIMED_OUT and its sisters, in the order of their numbers, which have no gaps. */
    private fun constants(prefix: String): List<String> {
        val all = Regex("EVENTSOURCE_${prefix}_(\\w+) = (\\d+),").findAll(header).map { it.destructured }.toList()
        assertEquals(all.indices.toList(), all.map { (_, number) -> number.toInt() })
        return all.map { (name, _) -> name }
    }

    private fun functions(type: Class<*>): Set<String> =
        type.declaredMethods
            .filter { Modifier.isPublic(it.modifiers) && !Modifier.isStatic(it.modifiers) && !it.isSynthetic && '$' !in it.name }
            .map { it.name }
            .toSet()

    private fun camel(name: String): String = Regex("_(\\w)").replace(name) { it.groupValues[1].uppercase() }

    /** Config's functions that are not the library's options. */
    private val own = setOf("executor", "headers", "asyncHeaders", "exceptionHandler", "systemProxy", "isRepeatable")

    @Test
    fun `every option of the header is one of Config, and Config has no other`() {
        val setters = names("\\beventsource_config_((?:set|add)_\\w+)\\(")
        assertTrue(setters.size >= 23, "$setters")
        val options = setters.map { if (it == "set_keepalive") "keepAlive" else camel(it.removePrefix("set_")) }
        assertEquals(options.toSortedSet(), (functions(Config::class.java) - own).toSortedSet())
    }

    @Test
    fun `the README tells of every option`() {
        val readme = root.resolve("bindings/kotlin/README.md").readText()
        val rows = Regex("^\\| `(\\w+)\\(", RegexOption.MULTILINE).findAll(readme).map { it.groupValues[1] }.toSet()
        assertEquals((functions(Config::class.java) - "isRepeatable").toSortedSet(), rows.toSortedSet())
    }

    @Test
    fun `every call that any thread may make is one of EventSource`() {
        val calls = names("\\beventsource_(\\w+)\\(const eventsource \\*").map { if (it == "get_state") "getState" else camel(it) }
        assertTrue("reconnect" in calls, "$calls")
        assertEquals(calls.toSortedSet(), (functions(EventSource::class.java) - setOf("start", "getConfig", "onEnd")).toSortedSet())
    }

    @Test
    fun `every getter of an event has its property`() {
        val properties =
            mapOf(
                "kind" to Event::class, // which class it is
                "type" to Event.Message::type,
                "data" to Event.Message::data,
                "id" to Event::lastEventId,
                "url" to Event::url,
                "error" to Event.Error::kind,
                "state" to Event.Error::state,
                "http_status" to Event.Error::httpStatus,
                "retry_ms" to Event.Error::retryMs,
                "header" to Event.Open::header,
                "header_at" to Event.Open::headers,
                "body" to Event.Error::body,
            )
        val getters = names("\\beventsource_event_(\\w+)\\(const eventsource_event \\*").toSet() - "clone"
        assertEquals(getters, properties.keys)
    }

    @Test
    fun `enums have the header's numbers`() {
        assertEquals(constants("ERROR"), ErrorKind.values().map { it.name })
        assertEquals(constants("STATE"), State.values().map { it.name })
        assertEquals(constants("RECONNECT"), ReconnectMode.values().map { it.name })
        val kinds = constants("KIND").drop(1)
        val events = Event::class.java.declaredClasses.filter { Event::class.java.isAssignableFrom(it) }
        assertEquals(kinds.toSet(), events.map { it.simpleName.uppercase() }.toSet())
    }

    @Test
    fun `the builds, the README and the native library agree on the version`() {
        fun first(
            file: String,
            pattern: String,
        ): String =
            Regex(pattern)
                .find(root.resolve(file).readText())!!
                .groupValues[1]
        val version = first("Cargo.toml", "(?m)^version = \"(.*)\"")
        assertEquals(version, EventSource.version)
        assertEquals(version, first("bindings/kotlin/android/build.gradle.kts", "(?m)^version = \"(.*)\""))
        for (file in listOf("pom.xml", "README.md")) assertEquals(version, first("bindings/kotlin/$file", "<version>(.*)</version>"), file)
    }

    @Test
    fun `a pointer that Android has marked is no status`() {
        assertTrue((-10L..-1L).all(Native::isStatus))
        for (pointer in listOf(0xb400_0078_1234_5678uL, 0xffff_8000_0000_1000uL, 0x7fff_ffff_f000uL)) {
            assertTrue(!Native.isStatus(pointer.toLong()), "$pointer")
        }
    }
}
