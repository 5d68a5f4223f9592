import io.github.libeventsource.Config;
import io.github.libeventsource.Event;
import io.github.libeventsource.EventSource;

/** README.md's Java, compiled; ReadmeTest compares. */
final class JavaSnippets {
    private JavaSnippets() {}

    static void first() {
        EventSource source = new EventSource("https://example.test/events", new Config().idleTimeout(45_000));
        source.start(new EventSource.Listener() {
            @Override
            public void onMessage(EventSource source, Event.Message event) {
                System.out.println(event.getType() + ": " + event.getData());
            }
        });
    }
}
