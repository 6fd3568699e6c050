package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

type vectorFile struct {
	Trust    json.RawMessage `json:"trust"`
	Accepted []struct{ Name, State, Capsule string }
	Refused  []struct{ Name, Refusal, Capsule string }

	Distrusted []struct {
		Trust   json.RawMessage
		Of      string
		Refusal string
	}
}

func trustOf(t *testing.T, data json.RawMessage) (*Trust, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trust.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return readTrust(path)
}

func vectors(t *testing.T) (vectorFile, *Trust) {
	t.Helper()
	data, err := os.ReadFile("../../tests/vectors/capsules.json")
	if err != nil {
		t.Fatal(err)
	}
	var out vectorFile
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	trust, err := trustOf(t, out.Trust)
	if err != nil {
		t.Fatal(err)
	}
	return out, trust
}

func refusalOf(err error) string {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Word
	}
	return ""
}

func TestCapsulesOfAChainThatIsGone(t *testing.T) {
	given, trust := vectors(t)
	if len(given.Accepted) == 0 || len(given.Refused) == 0 || len(given.Distrusted) == 0 {
		t.Fatal("no vectors")
	}
	capsules := map[string]string{}
	for _, one := range given.Accepted {
		capsules[one.Name] = one.Capsule
		found, err := verify([]byte(one.Capsule), trust)
		if err != nil || found.State != one.State {
			t.Errorf("%s: %v, %v", one.Name, found, err)
		}
	}
	for _, one := range given.Refused {
		if _, err := verify([]byte(one.Capsule), trust); refusalOf(err) != one.Refusal {
			t.Errorf("%s: %v, not %s", one.Name, err, one.Refusal)
		}
	}
	for _, one := range given.Distrusted {
		other, err := trustOf(t, one.Trust)
		if err == nil {
			_, err = verify([]byte(capsules[one.Of]), other)
		}
		if refusalOf(err) != one.Refusal {
			t.Errorf("%v, not %s", err, one.Refusal)
		}
	}
}

func TestATrustFileThatAsksForNothingIsRefused(t *testing.T) {
	given, _ := vectors(t)
	for field, value := range map[string]any{"quorum": 0, "observers": []any{}, "chain_id": "1", "more": 1} {
		var changed map[string]any
		if err := json.Unmarshal(given.Trust, &changed); err != nil {
			t.Fatal(err)
		}
		changed[field] = value
		data, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := trustOf(t, data); err == nil {
			t.Errorf("taken with %s = %v", field, value)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	data, err := os.ReadFile("../../tests/vectors/capsules.json")
	if err != nil {
		b.Fatal(err)
	}
	var given vectorFile
	if err := json.Unmarshal(data, &given); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "trust.json")
	if err := os.WriteFile(path, given.Trust, 0o600); err != nil {
		b.Fatal(err)
	}
	trust, err := readTrust(path)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := verify([]byte(given.Accepted[0].Capsule), trust); err != nil {
			b.Fatal(err)
		}
	}
}
