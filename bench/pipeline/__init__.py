"""The pipeline beside task queues of others: two chained stages that do nothing."""
