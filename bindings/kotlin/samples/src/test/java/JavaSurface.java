import io.github.libeventsource.Config;
import io.github.libeventsource.ErrorKind;
import io.github.libeventsource.Event;
import io.github.libeventsource.EventSource;
import io.github.libeventsource.ReconnectMode;
import io.github.libeventsource.State;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.FutureTask;

/** Every function of the essential surface, called from Java: no Kotlin type is needed for any of them. */
final class JavaSurface {
    private JavaSurface() {}

    static Config config(ExecutorService executor, byte[] pem) {
        return new Config()
                .header("X-A", "1")
                .secretHeader("X-B", "2")
                .method("POST")
                .body("text")
                .body(new byte[] {1})
                .lastEventId("7")
                .connectTimeout(60_000)
                .responseTimeout(61_000)
                .idleTimeout(62_000)
                .keepAlive(4_000)
                .retry(1, 2)
                .maxRetries(3)
                .reconnect(ReconnectMode.ALWAYS)
                .standardStatus(true)
                .maxEventSize(1 << 20)
                .compression(true)
                .httpsOnly(false)
                .proxy(null)
                .proxyFromEnv()
                .systemProxy()
                .stackSize(1 << 20)
                .executor(executor)
                .headers((source, event) -> Collections.singletonMap("X-Url", event.getUrl()))
                .exceptionHandler((source, exception) -> exception.printStackTrace());
    }

    static Config later(Config config) {
        return config.asyncHeaders((source, event) -> {
            FutureTask<Map<String, String>> answer = new FutureTask<>(Collections::<String, String>emptyMap);
            answer.run();
            return answer;
        });
    }

    static Config trust(Config config, byte[] pem, String pin) {
        return config.addCaPem(pem).onlyCaPem(pem).identityPem(pem).addPin(pin);
    }

    /** What a listener can see. */
    static final class Noting implements EventSource.Listener {
        private final List<String> notes;

        Noting(List<String> notes) {
            this.notes = notes;
        }

        @Override
        public void onConnect(EventSource source, Event.Connect event) {
            notes.add("connect " + event.getLastEventId());
        }

        @Override
        public void onOpen(EventSource source, Event.Open event) {
            Map.Entry<String, String> first = event.getHeaders().get(0);
            notes.add("open " + first.getKey() + " " + event.header("content-type"));
        }

        @Override
        public void onMessage(EventSource source, Event.Message event) {
            notes.add(event.getType() + " " + event.getData() + " " + event.getLastEventId());
        }

        @Override
        public void onComment(EventSource source, Event.Comment event) {
            notes.add("comment " + event.getText());
        }

        @Override
        public void onError(EventSource source, Event.Error event) {
            ErrorKind kind = event.getKind();
            State state = event.getState();
            notes.add("error " + kind + " " + state + " " + event.getHttpStatus() + " " + event.getBody());
            if (event.getRetryMs() < 0) source.retry(1);
        }

        @Override
        public void onClose(EventSource source, Event.Close event) {
            notes.add("close " + event.getKind() + " " + event.getHttpStatus());
        }
    }

    static boolean drive(EventSource source, String url) {
        return source.pause()
                && source.resume()
                && source.setHeader("X-C", null)
                && source.setSecretHeader("X-D", "4")
                && source.setUrl(url)
                && source.getState() != State.CLOSED
                && source.getConfig().isRepeatable()
                && !source.fail("no attempt")
                && !EventSource.getVersion().isEmpty();
    }

    static void batches(EventSource source, List<String> types) {
        source.start((from, events) -> {
            for (Event event : events) types.add(event.getClass().getSimpleName());
        });
    }
}
