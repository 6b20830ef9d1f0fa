"""What is refused, and how: over HTTP, with the real application."""
from tests.api.conftest import Api

def test_x(api: Api) -> None:
    print(api.data('mutation($i: CreateTaskInput!) { createTask(input: $i) { task { id videoId status createdAt bytesDownloaded failures { totalCount nodes { id } pageInfo { hasNextPage startCursor } } video { id } } userErrors { code message field } } }',
      i={"resourceUrl": "https://example.com/a.mp4", "resourceType": "MP4", "liveroomId": "room-1"}))
    print(api.data('{ viewer { userId waiting bytesStored } tasks { totalCount edges { cursor node { id failures { nodes { id } } } } } }'))
    print(api.ask('mutation($i: CreateTaskInput!) { createTask(input: $i) { task { id } userErrors { code message field } } }',
      {"i": {"resourceUrl": "ftp://example.com/a.mp4", "resourceType": "MP4", "liveroomId": "r", "requestHeaders": [{"name":"Host","value":"x"}]}}))
    print(api.ask('{ nope }', status=400))
    print(api.ask('query($i: ID!) { task(id: $i) { id } }', {"i": {}}, status=400))
    print(api.ask('{ task(id: "x") { id } tasks(first: 0) { nodes { id } } }'))
    r=api.client.post('/graphql', json={"query":"{ viewer { userId } }"})
    print(r.status_code, r.headers, r.text)
    assert 0
