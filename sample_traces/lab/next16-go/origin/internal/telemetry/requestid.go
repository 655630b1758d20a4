package telemetry

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"seamscope.example/origin/internal/witness"
)

// KeepRequestID puts the caller's request id on the span, into the context and into the answer.
func KeepRequestID(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Request-Id"); id != "" {
			trace.SpanFromContext(r.Context()).SetAttributes(attribute.StringSlice("http.request.header.x-request-id", []string{id}))
			w.Header().Set("X-Request-Id", id)
			// In place, because otelhttp names its span after the route that the mux writes into this very request.
			*r = *r.WithContext(witness.WithRequest(r.Context(), id, r.URL.Path))
		}
		inner.ServeHTTP(w, r)
	})
}
