import com.google.gson.Gson
import java.util.Locale
import java.util.concurrent.TimeUnit

// The clients beside one another: each measurement has a VM of its own, clients take turns round after round, the table has medians.

/** What repeats well by itself, or takes long, is measured once. */
private class Scenario(
    val title: String,
    val name: String,
    val path: String,
    val rounds: Int,
)

private val scenarios =
    listOf(
        Scenario("100 bytes", "flood", "/flood?size=100", 3),
        Scenario("1,000 bytes", "flood", "/flood?size=1000", 3),
        Scenario("each ms", "latency", "/ticks?ms=1&count=3500", 3),
        Scenario("500 a second", "trickle", "/ticks?ms=2&count=6500", 1),
        Scenario("blocked", "blocked", "/flood?size=100", 1),
    )

private class Column(
    val title: String,
    val number: String,
    val digits: Int,
)

private val columns =
    listOf(
        Column("100 B, M events/s", "100 bytes rate", 2),
        Column("CPU s a million", "100 bytes cpu", 3),
        Column("1,000 B, M events/s", "1,000 bytes rate", 2),
        Column("CPU s a million", "1,000 bytes cpu", 3),
        Column("latency p50 µs", "each ms p50", 0),
        Column("p99 µs", "each ms p99", 0),
        Column("CPU s, 5,000 events in 10 s", "500 a second cpu", 2),
        Column("MB more while blocked 5 s", "blocked growth", 1),
    )

private fun measure(
    client: String,
    scenario: Scenario,
    base: String,
): Map<String, Double> {
    val java = "${System.getProperty("java.home")}/bin/java"
    val process =
        ProcessBuilder(java, "-Xmx256m", "-cp", System.getenv("BENCH_CLASSPATH"), "Client", client, scenario.name, base + scenario.path)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start()
    val ended = process.waitFor(90, TimeUnit.SECONDS)
    if (!ended) process.destroyForcibly()
    // No number where it hangs or dies, as okhttp-eventsource does in the background while its listener is blocked.
    val line = if (ended) process.inputStream.bufferedReader().readLine() else null
    System.err.println("$client, ${scenario.title}: ${line ?: if (ended) "failed" else "hangs"}")
    if (line == null) return emptyMap()
    val numbers = Gson().fromJson(line, Map::class.java)
    return numbers.entries.associate { (name, number) -> "${scenario.title} $name" to number as Double }
}

private fun List<Double>.median() = sorted()[size / 2]

public fun main(arguments: Array<String>) {
    val server = ProcessBuilder(arguments[0]).redirectError(ProcessBuilder.Redirect.INHERIT).start()
    val base =
        server.inputStream
            .bufferedReader()
            .readLine()
            .split(" ")[1]
    val quick = "--quick" in arguments
    val wanted = arguments.drop(1).filterNot { it.startsWith("--") }
    val clients = Client.names.filter { name -> wanted.isEmpty() || name in wanted }
    val rounds = if (quick) 1 else scenarios.maxOf { it.rounds }
    val table = clients.associateWith { HashMap<String, MutableList<Double>>() }
    for (round in 0 until rounds) {
        for (scenario in scenarios.filter { round < it.rounds }) {
            for (client in clients) {
                if (client == "libeventsource, counting" && scenario.name in setOf("latency", "trickle", "blocked")) continue
                for ((name, number) in measure(client, scenario, base)) table.getValue(client).getOrPut(name) { ArrayList() }.add(number)
            }
        }
    }
    server.outputStream.close()
    println("\nJava ${System.getProperty("java.version")}, medians of up to $rounds\n")
    println("| client | ${columns.joinToString(" | ") { it.title }} |")
    println("|---|${columns.joinToString("|") { "---:" }}|")
    for ((client, numbers) in table) {
        val cells =
            columns.map { column ->
                numbers[column.number]?.median()?.let { String.format(Locale.ROOT, "%.${column.digits}f", it) }.orEmpty()
            }
        println("| $client | ${cells.joinToString(" | ")} |")
    }
}
