package telemetry

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// KeepRequestID puts the caller's request id on the span and into the answer.
func KeepRequestID(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Request-Id"); id != "" {
			trace.SpanFromContext(r.Context()).SetAttributes(attribute.StringSlice("http.request.header.x-request-id", []string{id}))
			w.Header().Set("X-Request-Id", id)
		}
		inner.ServeHTTP(w, r)
	})
}
