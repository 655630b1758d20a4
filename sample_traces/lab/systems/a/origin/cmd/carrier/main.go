// Command carrier is somebody else's service: it answers what shipping costs, when it gets round to it, and sends no
// spans.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"time"

	"seamscope.example/origin/internal/witness"
)

func main() {
	address := flag.String("address", "127.0.0.1:8090", "where to listen")
	takes := flag.Duration("takes", time.Millisecond, "what an answer takes, a fifth more or less")
	flag.Parse()
	if err := witness.Open(os.Getenv("WITNESS"), "external:carrier"); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /rates/{id}", func(w http.ResponseWriter, r *http.Request) {
		started := witness.Now()
		time.Sleep(time.Duration(float64(*takes) * (0.8 + 0.4*rand.Float64())))
		id, _ := strconv.Atoi(r.PathValue("id"))
		_ = json.NewEncoder(w).Encode(map[string]int{"cents": 490 + id%7*100})
		witness.Since(r.Context(), "injected", witness.Own(), started, "the carrier's own timer")
	})
	log.Fatal(http.ListenAndServe(*address, nil))
}
